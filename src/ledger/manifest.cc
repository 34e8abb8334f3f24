// SPDX-License-Identifier: MIT
#include "ledger/manifest.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/log.h"
#include "base/text.h"

#ifndef HFPOUR_VERSION
#define HFPOUR_VERSION "unknown"
#endif

namespace hfpour {
namespace {

constexpr int schema = 1;
constexpr std::array<std::string_view, 8> head_fields = {"schema", "repository", "type",     "revision",
                                                         "commit", "selection",  "complete", "files"};
constexpr std::array<std::string_view, 5> record_fields = {"path", "size", "hash", "etag", "part_size"};
constexpr std::array<std::string_view, 6> unfinished_fields = {"path",      "size",   "hash",
                                                               "part_size", "upload", "midstate"};

void write_field(std::string& out, std::string_view name, std::string_view value) {
  out += fmt::format("  {}: {},\n", json_quote(name), json_quote(value));
}

void write_record(std::string& out, const Record& record) {
  out += fmt::format(R"(    {{"path": {}, "size": {}, "hash": "{}:{}", "etag": {}, "part_size": {}, "xxh3": [)",
                     json_quote(record.file.path), record.file.size, to_string(record.file.hash.kind),
                     to_hex(record.file.hash), json_quote(record.stored.etag), record.stored.part_size);
  for (std::size_t i = 0; i < record.stored.xxh3.size(); ++i) {
    out += fmt::format("{}\"{}\"", i == 0 ? "" : ",", to_hex(ByteView(record.stored.xxh3[i])));
  }
  out += "]}";
}

void write_unfinished(std::string& out, const UnfinishedFile& one) {
  out += fmt::format(
      R"(    {{"path": {}, "size": {}, "hash": "{}:{}", "part_size": {}, "upload": {}, "midstate": "{}", "parts": [)",
      json_quote(one.file.path), one.file.size, to_string(one.file.hash.kind), to_hex(one.file.hash),
      one.upload.part_size, json_quote(one.upload.upload_id), to_hex(ByteView(one.upload.hash)));
  for (std::size_t i = 0; i < one.upload.parts.size(); ++i) {
    const HashedPart& part = one.upload.parts[i];
    out += fmt::format("{}\"{}\",{}", i == 0 ? "" : ",", to_hex(ByteView(part.xxh3)), json_quote(part.etag));
  }
  out += "]}";
}

/// The elements of an array, one a line.
template <class Element>
void write_array(std::string& out, const std::vector<Element>& elements, void (*write)(std::string&, const Element&)) {
  out += '[';
  for (std::size_t i = 0; i < elements.size(); ++i) {
    out += i == 0 ? "\n" : ",\n";
    write(out, elements[i]);
  }
  out += "\n  ]";
}

std::optional<Xxh3::Value> read_xxh3(const std::string& hex) {
  const auto bytes = from_hex(hex);
  if (!bytes || bytes->size() != 16) return std::nullopt;
  Xxh3::Value value;
  std::copy(bytes->begin(), bytes->end(), value.begin());
  return value;
}

/// Fills a manifest from the events of the JSON reader, so that no document tree is built.
class ManifestReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Manifest manifest;

  /// True when every field of the document was there.
  bool whole() const { return head_seen_ == (1U << head_fields.size()) - 1; }

  bool null() override { return false; }
  bool boolean(bool value) override { return in_element_ ? false : set_flag(value); }
  bool number_integer(number_integer_t value) override { return value >= 0 && number(static_cast<Bytes>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(value); }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool binary(binary_t&) override { return false; }
  bool string(string_t& value) override {
    if (!in_element_) return head_text(value);
    return list_ == List::files ? record_text(value) : unfinished_text(value);
  }
  bool key(string_t& name) override {
    key_ = name;
    return in_element_ ? note(fields(), element_seen_) : note(head_fields, head_seen_);
  }
  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ != 2 || list_ == List::none) return false;
    if (list_ == List::files) {
      manifest.files.emplace_back();
    } else {
      manifest.unfinished.emplace_back();
    }
    element_seen_ = 0;
    in_element_ = true;
    return true;
  }
  bool end_object() override {
    --depth_;
    if (!in_element_) return true;
    in_element_ = false;
    return element_seen_ == (1U << fields().size()) - 1 && !xxh3_;
  }
  bool start_array(std::size_t) override {
    if (in_element_) return key_ == (list_ == List::files ? "xxh3" : "parts");
    if (list_ != List::none || depth_ != 1) return false;
    list_ = key_ == "files" ? List::files : key_ == "unfinished" ? List::unfinished : List::none;
    return list_ != List::none;
  }
  bool end_array() override {
    if (!in_element_) list_ = List::none;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  enum class List { none, files, unfinished };

  Record& record() { return manifest.files.back(); }
  UnfinishedFile& unfinished() { return manifest.unfinished.back(); }
  std::span<const std::string_view> fields() const {
    if (list_ == List::files) return record_fields;
    return unfinished_fields;
  }

  /// Marks the field of the last key as seen; false when it is there twice.
  bool note(std::span<const std::string_view> fields, unsigned& seen) const {
    const auto place = std::ranges::find(fields, key_);
    if (place == fields.end()) return true;
    const unsigned bit = 1U << (place - fields.begin());
    const bool first = (seen & bit) == 0;
    seen |= bit;
    return first;
  }

  bool set_flag(bool value) {
    if (key_ == "complete") manifest.complete = value;
    return key_ != "files" && key_ != "unfinished" && key_ != "schema";
  }
  bool number(Bytes value) {
    if (!in_element_) return key_ == "schema" ? value == schema : key_ != "files" && key_ != "unfinished";
    const bool whole = list_ == List::files;
    if (key_ == "size") (whole ? record().file : unfinished().file).size = value;
    if (key_ == "part_size") (whole ? record().stored.part_size : unfinished().upload.part_size) = value;
    return key_ == "size" || key_ == "part_size";
  }
  bool head_text(const std::string& value) {
    if (key_ == "repository") manifest.identity.repository = value;
    if (key_ == "type") manifest.identity.type = value;
    if (key_ == "revision") manifest.identity.revision = value;
    if (key_ == "selection") manifest.identity.selection = value;
    if (key_ == "commit") manifest.commit = value;
    return key_ != "files" && key_ != "unfinished" && key_ != "schema";
  }
  bool record_text(const std::string& value) {
    if (key_ == "xxh3") {
      const std::optional<Xxh3::Value> sum = read_xxh3(value);
      if (sum) record().stored.xxh3.push_back(*sum);
      return sum.has_value();
    }
    if (key_ == "etag") record().stored.etag = value;
    return key_ == "etag" || file_text(record().file, value);
  }
  bool unfinished_text(const std::string& value) {
    Unfinished& upload = unfinished().upload;
    if (key_ == "parts") return part_text(upload, value);
    if (key_ == "upload") upload.upload_id = value;
    if (key_ != "midstate") return key_ == "upload" || file_text(unfinished().file, value);
    const auto bytes = from_hex(value);
    if (bytes) upload.hash = *bytes;
    return bytes.has_value();
  }
  /// The parts in one array: XXH3 and ETag by turns.
  bool part_text(Unfinished& upload, const std::string& value) {
    if (xxh3_) {
      upload.parts.push_back(HashedPart{*xxh3_, value});
      xxh3_.reset();
      return true;
    }
    xxh3_ = read_xxh3(value);
    return xxh3_.has_value();
  }
  bool file_text(FileEntry& file, const std::string& value) {
    if (key_ == "path") file.path = value;
    if (key_ != "hash") return key_ == "path";
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos) return false;
    const std::optional<ContentHash> hash = parse_hash(value.substr(0, colon), value.substr(colon + 1));
    if (hash) file.hash = *hash;
    return hash.has_value();
  }

  std::string key_;
  int depth_ = 0;
  unsigned head_seen_ = 0;     ///< by place in `head_fields`
  unsigned element_seen_ = 0;  ///< of the element at hand, by place in `fields()`
  List list_ = List::none;
  bool in_element_ = false;
  std::optional<Xxh3::Value> xxh3_;  ///< of a part whose ETag comes next
};

/// Enough for the text unless names are full of what JSON escapes. To grow step by step would take three times its size
/// in memory, and a record is 30 MiB with 100,000 files.
std::size_t room_for_text(const Manifest& manifest) {
  constexpr std::size_t head = 4096;
  constexpr std::size_t names_and_hash = 256;
  constexpr std::size_t sum = 36;
  std::size_t length = head;
  for (const Record& record : manifest.files) {
    length += names_and_hash + record.file.path.size() + record.stored.etag.size() + record.stored.xxh3.size() * sum;
  }
  for (const UnfinishedFile& one : manifest.unfinished) {
    length += names_and_hash + one.file.path.size() + one.upload.upload_id.size() + 2 * one.upload.hash.size();
    for (const HashedPart& part : one.upload.parts) length += sum + 8 + part.etag.size();
  }
  return length;
}

bool by_path(const Record& a, const Record& b) {
  return a.file.path < b.file.path;
}

}  // namespace

const Record* Manifest::find(std::string_view path) const {
  const auto place =
      std::lower_bound(files.begin(), files.end(), path,
                       [](const Record& record, std::string_view wanted) { return record.file.path < wanted; });
  return place != files.end() && place->file.path == path ? &*place : nullptr;
}

std::string write_manifest(const Manifest& manifest) {
  std::string out;
  out.reserve(room_for_text(manifest));
  out += "{\n";
  out += fmt::format("  \"schema\": {},\n", schema);
  write_field(out, "tool", "hfpour " HFPOUR_VERSION);
  write_field(out, "repository", manifest.identity.repository);
  write_field(out, "type", manifest.identity.type);
  write_field(out, "revision", manifest.identity.revision);
  write_field(out, "commit", manifest.commit);
  write_field(out, "selection", manifest.identity.selection);
  out += fmt::format("  \"complete\": {},\n", manifest.complete);
  if (!manifest.unfinished.empty()) {
    out += "  \"unfinished\": ";
    write_array(out, manifest.unfinished, write_unfinished);
    out += ",\n";
  }
  out += "  \"files\": ";
  write_array(out, manifest.files, write_record);
  out += "\n}\n";
  return out;
}

Result<Manifest> read_manifest(std::string_view text) {
  ManifestReader reader;
  const bool good = nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  if (!good || !reader.whole()) return Error(Kind::protocol, "not a manifest this version can read");
  Manifest manifest = std::move(reader.manifest);
  if (manifest.identity.repository.empty() || manifest.commit.size() != 40) {
    return Error(Kind::protocol, "the manifest does not say what it is of");
  }
  std::sort(manifest.files.begin(), manifest.files.end(), by_path);
  const auto twice = std::adjacent_find(manifest.files.begin(), manifest.files.end(),
                                        [](const Record& a, const Record& b) { return a.file.path == b.file.path; });
  if (twice != manifest.files.end()) return Error(Kind::protocol, "the manifest names a file twice");
  return manifest;
}

}  // namespace hfpour
