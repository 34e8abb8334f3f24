// SPDX-License-Identifier: MIT
#include "hub/tree.h"

#include <fmt/core.h>

#include <array>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/text.h"
#include "hub/bounded_json.h"

namespace hfpour::hub {
namespace {

using nlohmann::json;

// No store takes a larger object (S3: 50 TB since 2025-12), and sums of such sizes cannot overflow.
constexpr Bytes max_file_size = Bytes{1} << 46U;
constexpr std::array<std::string_view, 5> tree_fields = {"type", "path", "size", "oid", "lfs"};
constexpr std::size_t most_entries = 10'000;  ///< of a page; the Hub sends 1,000 (contract hub §2.2)

Error bad_page(std::string_view rule) {
  return Error(Kind::protocol, fmt::format("the Hub's listing cannot be read: {}", rule));
}

const std::string* text_field(const json& object, const char* name) {
  const auto field = object.find(name);
  return field == object.end() ? nullptr : field->get_ptr<const std::string*>();
}

std::optional<Bytes> size_field(const json& object) {
  const auto field = object.find("size");
  if (field == object.end() || !field->is_number_unsigned()) return std::nullopt;
  const Bytes size = field->get<Bytes>();
  return size <= max_file_size ? std::optional(size) : std::nullopt;
}

Result<FileEntry> read_file(const json& entry) {
  const std::string* const path = text_field(entry, "path");
  if (path == nullptr || path->empty()) return bad_page("a file has no path");
  const std::string shown = printable(*path, 200);
  const auto lfs = entry.find("lfs");
  const bool is_lfs = lfs != entry.end() && !lfs->is_null();
  if (is_lfs && !lfs->is_object()) return bad_page(fmt::format("'{}' has a wrong 'lfs'", shown));
  const json& source = is_lfs ? *lfs : entry;
  const std::optional<Bytes> size = size_field(source);
  if (!size) return bad_page(fmt::format("'{}' has no usable size", shown));
  const std::string* const oid = text_field(source, "oid");
  if (oid == nullptr) return bad_page(fmt::format("'{}' has no hash", shown));
  const HashKind kind = is_lfs ? HashKind::sha256 : HashKind::git_blob;
  const std::optional<ContentHash> hash = parse_hash(to_string(kind), *oid);
  if (!hash) {
    return Error(Kind::forbidden, fmt::format("the Hub withholds the hash of '{}': the repository is gated and you "
                                              "have no access; accept its terms on the Hub and set HF_TOKEN",
                                              shown));
  }
  return FileEntry{*path, *size, *hash};
}

}  // namespace

Result<std::vector<FileEntry>> parse_tree_page(std::string_view text) {
  const std::optional<json> page = parse_bounded(text, JsonShape{tree_fields, most_entries});
  if (!page) return bad_page("it is not JSON, too long, or holds a field twice");
  if (!page->is_array()) return bad_page("it is not a list");
  std::vector<FileEntry> files;
  std::unordered_set<std::string> seen;
  for (const json& entry : *page) {
    const std::string* const type = entry.is_object() ? text_field(entry, "type") : nullptr;
    if (type == nullptr) return bad_page("an entry has no type");
    if (*type != "file") continue;
    Result<FileEntry> file = read_file(entry);
    if (!file) return file.error();
    if (!seen.insert(file->path).second) {
      return bad_page(fmt::format("'{}' is listed twice", printable(file->path, 200)));
    }
    files.push_back(std::move(*file));
  }
  return files;
}

}  // namespace hfpour::hub
