// SPDX-License-Identifier: MIT
#include "hub/tree.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>

#include "base/text.h"

namespace hfpour::hub {
namespace {

using nlohmann::json;

// No store takes a larger object (S3: 50 TB since 2025-12), and sums of such sizes cannot overflow.
constexpr Bytes max_file_size = Bytes{1} << 46U;

Error malformed(std::string_view rule) {
  return Error(Kind::protocol, fmt::format("the Hub's listing cannot be read: {}", rule));
}

/// Parses `text`; nothing if it is not JSON or an object of it holds a field twice.
std::optional<json> parse_strictly(std::string_view text) {
  std::vector<std::set<std::string>> open_objects;
  bool twice = false;
  const auto watch = [&open_objects, &twice](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    if (event == json::parse_event_t::key) {
      twice |= !open_objects.back().insert(value.get_ref<const std::string&>()).second;
    }
    return true;
  };
  json parsed = json::parse(text.begin(), text.end(), watch, false);
  if (parsed.is_discarded() || twice) return std::nullopt;
  return parsed;
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
  if (path == nullptr || path->empty()) return malformed("a file has no path");
  const std::string shown = printable(*path, 200);
  const auto lfs = entry.find("lfs");
  const bool is_lfs = lfs != entry.end() && !lfs->is_null();
  if (is_lfs && !lfs->is_object()) return malformed(fmt::format("'{}' has a wrong 'lfs'", shown));
  const json& source = is_lfs ? *lfs : entry;
  const std::optional<Bytes> size = size_field(source);
  if (!size) return malformed(fmt::format("'{}' has no usable size", shown));
  const std::string* const oid = text_field(source, "oid");
  if (oid == nullptr) return malformed(fmt::format("'{}' has no hash", shown));
  const HashKind kind = is_lfs ? HashKind::sha256 : HashKind::git_blob;
  const std::optional<ContentHash> hash = parse_hash(to_string(kind), *oid);
  if (!hash) {
    return Error(Kind::forbidden,
                 fmt::format("the Hub withholds the hash of '{}': the repository is gated and you "
                             "have no access; accept its terms on the Hub and set HF_TOKEN",
                             shown));
  }
  return FileEntry{*path, *size, *hash};
}

}  // namespace

Result<std::vector<FileEntry>> parse_tree_page(std::string_view text) {
  const std::optional<json> page = parse_strictly(text);
  if (!page) return malformed("it is not JSON, or holds a field twice");
  if (!page->is_array()) return malformed("it is not a list");
  std::vector<FileEntry> files;
  std::unordered_set<std::string> seen;
  for (const json& entry : *page) {
    const std::string* const type = entry.is_object() ? text_field(entry, "type") : nullptr;
    if (type == nullptr) return malformed("an entry has no type");
    if (*type != "file") continue;
    Result<FileEntry> file = read_file(entry);
    if (!file) return file.error();
    if (!seen.insert(file->path).second) {
      return malformed(fmt::format("'{}' is listed twice", printable(file->path, 200)));
    }
    files.push_back(std::move(*file));
  }
  return files;
}

}  // namespace hfpour::hub
