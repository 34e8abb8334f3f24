// SPDX-License-Identifier: MIT
#include "ledger/manifest.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
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

/// Fills a manifest from the events of the JSON reader, so that no document tree is built.
class ManifestReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Manifest manifest;

  /// True when every field of the document was there.
  bool whole() const { return head_seen_ == (1U << head_fields.size()) - 1; }

  bool null() override { return false; }
  bool boolean(bool value) override { return in_record_ ? false : set_flag(value); }
  bool number_integer(number_integer_t value) override { return value >= 0 && number(static_cast<Bytes>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(value); }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool binary(binary_t&) override { return false; }
  bool string(string_t& value) override { return in_record_ ? record_text(value) : head_text(value); }
  bool key(string_t& name) override {
    key_ = name;
    return in_record_ ? note(record_fields, record_seen_) : note(head_fields, head_seen_);
  }
  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 2) {
      manifest.files.emplace_back();
      record_seen_ = 0;
      in_record_ = true;
    }
    return depth_ == 1 || (depth_ == 2 && in_files_);
  }
  bool end_object() override {
    --depth_;
    if (!in_record_) return true;
    in_record_ = false;
    return record_seen_ == (1U << record_fields.size()) - 1;
  }
  bool start_array(std::size_t) override {
    if (in_record_) return key_ == "xxh3";
    in_files_ = !in_files_ && depth_ == 1 && key_ == "files";
    return in_files_;
  }
  bool end_array() override {
    if (!in_record_) in_files_ = false;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  Record& record() { return manifest.files.back(); }

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
    return key_ != "files" && key_ != "schema";
  }
  bool number(Bytes value) {
    if (!in_record_) return key_ == "schema" ? value == schema : key_ != "files";
    if (key_ == "size") record().file.size = value;
    if (key_ == "part_size") record().stored.part_size = value;
    return key_ == "size" || key_ == "part_size";
  }
  bool head_text(const std::string& value) {
    if (key_ == "repository") manifest.identity.repository = value;
    if (key_ == "type") manifest.identity.type = value;
    if (key_ == "revision") manifest.identity.revision = value;
    if (key_ == "selection") manifest.identity.selection = value;
    if (key_ == "commit") manifest.commit = value;
    return key_ != "files" && key_ != "schema";
  }
  bool record_text(const std::string& value) {
    if (key_ == "xxh3") return checksum(value);
    if (key_ == "path") record().file.path = value;
    if (key_ == "etag") record().stored.etag = value;
    if (key_ != "hash") return key_ == "path" || key_ == "etag";
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos) return false;
    const std::optional<ContentHash> hash = parse_hash(value.substr(0, colon), value.substr(colon + 1));
    if (hash) record().file.hash = *hash;
    return hash.has_value();
  }
  bool checksum(const std::string& hex) {
    const auto bytes = from_hex(hex);
    if (!bytes || bytes->size() != 16) return false;
    Xxh3::Value value;
    std::copy(bytes->begin(), bytes->end(), value.begin());
    record().stored.xxh3.push_back(value);
    return true;
  }

  std::string key_;
  int depth_ = 0;
  unsigned head_seen_ = 0;    ///< by place in `head_fields`
  unsigned record_seen_ = 0;  ///< of the record at hand, by place in `record_fields`
  bool in_files_ = false;
  bool in_record_ = false;
};

bool by_path(const Record& a, const Record& b) { return a.file.path < b.file.path; }

}  // namespace

const Record* Manifest::find(std::string_view path) const {
  const auto place = std::lower_bound(files.begin(), files.end(), path,
                                      [](const Record& record, std::string_view wanted) { return record.file.path < wanted; });
  return place != files.end() && place->file.path == path ? &*place : nullptr;
}

std::string write_manifest(const Manifest& manifest) {
  std::string out = "{\n";
  out += fmt::format("  \"schema\": {},\n", schema);
  write_field(out, "tool", "hfpour " HFPOUR_VERSION);
  write_field(out, "repository", manifest.identity.repository);
  write_field(out, "type", manifest.identity.type);
  write_field(out, "revision", manifest.identity.revision);
  write_field(out, "commit", manifest.commit);
  write_field(out, "selection", manifest.identity.selection);
  out += fmt::format("  \"complete\": {},\n  \"files\": [", manifest.complete);
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    out += i == 0 ? "\n" : ",\n";
    write_record(out, manifest.files[i]);
  }
  return out + "\n  ]\n}\n";
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
