// SPDX-License-Identifier: MIT
// What is written for others around names that strangers chose: tar headers, JSON, percent escapes, log lines. The
// first line is a size.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/log.h"
#include "base/text.h"
#include "cli/format.h"
#include "harness.h"
#include "pipe/tar.h"
#include "s3/location.h"

namespace hfpour::fuzz {
namespace {

/// The text of a field, up to its first zero.
std::string field(std::string_view block, std::size_t at, std::size_t size) {
  const std::string_view bytes = block.substr(at, size);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

Bytes number(std::string_view block, std::size_t at, std::size_t size) {
  Bytes value = 0;
  if (static_cast<unsigned char>(block[at]) == 0x80) {
    for (std::size_t i = 1; i < size; ++i) value = value << 8U | static_cast<unsigned char>(block[at + i]);
    return value;
  }
  for (const char c : field(block, at, size)) {
    require(c >= '0' && c <= '7', "a number is octal");
    value = value * 8 + static_cast<Bytes>(c - '0');
  }
  return value;
}

/// One header block: magic and sum are right.
std::string_view take_block(std::string_view& archive) {
  require(archive.size() >= 512, "a header is a block");
  const std::string_view block = archive.substr(0, 512);
  archive.remove_prefix(512);
  std::string copy(block);
  copy.replace(148, 8, 8, ' ');
  const Bytes sum = std::accumulate(copy.begin(), copy.end(), Bytes{0},
                                    [](Bytes total, char c) { return total + static_cast<unsigned char>(c); });
  require(block.substr(257, 8) == std::string_view("ustar\0"
                                                   "00",
                                                   8) &&
              number(block, 148, 7) == sum,
          "a header is one of ustar");
  return block;
}

/// The records of a pax header, over what the ustar header says.
void take_records(std::string_view records, std::string& path, Bytes& size) {
  while (!records.empty()) {
    const std::size_t blank = records.find(' ');
    const Bytes length = parse_decimal(records.substr(0, blank)).value_or(0);
    require(length > blank + 1 && length <= records.size() && records[length - 1] == '\n', "a record has its length");
    const std::string_view record = records.substr(blank + 1, length - blank - 2);
    if (record.starts_with("path=")) path = record.substr(5);
    if (record.starts_with("size=")) size = parse_decimal(record.substr(5)).value_or(0);
    records.remove_prefix(length);
  }
}

void take_tar(const FileEntry& file) {
  const Tar tar;
  const std::string head = tar.head(file);
  std::string_view rest = head;
  std::string_view block = take_block(rest);
  std::string_view records;
  if (block[156] == 'x') {
    const Bytes length = number(block, 124, 12);
    records = rest.substr(0, length);
    rest.remove_prefix((length + 511) / 512 * 512);
    block = take_block(rest);
  }
  const std::string prefix = field(block, 345, 155);
  std::string path = (prefix.empty() ? "" : prefix + "/") + field(block, 0, 100);
  Bytes size = number(block, 124, 12);
  take_records(records, path, size);
  require(rest.empty() && block[156] == '0', "the head of a file ends with its header");
  require(path == file.path && size == file.size, "a tar header says path and size");
  require((file.size % 512 + tar.tail(file).size()) % 512 == 0, "a file ends with its block");
}

void take_text(const std::string& text) {
  require(percent_decode(percent_encode(text, false)) == text && percent_decode(percent_encode(text, true)) == text,
          "escapes give the text back");
  const std::string shown = printable(text, text.size() * 4 + 1);
  require(is_utf8(shown) && printable(shown, shown.size() + 1) == shown, "what is printable stays so");
  require(is_utf8(printable(text, 10)), "a text is not cut inside a letter");
  const nlohmann::json read = nlohmann::json::parse(json_quote(text), nullptr, false);
  require(read.is_string() && (!is_utf8(text) || read.get<std::string>() == text), "JSON gives the text back");
  cli::Outcome outcome;
  outcome.uri = outcome.repo = outcome.revision = outcome.failed_file = text;
  outcome.error = Error(Kind::protocol, text);
  const nlohmann::json result = nlohmann::json::parse(cli::result_json(outcome), nullptr, false);
  require(result.is_object() && result["repo"] == read, "the result is JSON");
  require(cli::summary_text(outcome).find('\n') == std::string::npos, "the summary is one line");
  require(cli::summary_fields(outcome).find('\n') == std::string::npos, "the fields are one line");
}

}  // namespace

void take(std::string_view input) {
  const Bytes size = parse_decimal(take_line(input)).value_or(0);
  if (s3::check_key(input).has_value()) take_tar(FileEntry{std::string(input), size, ContentHash{}});
  take_text(std::string(input));
}

}  // namespace hfpour::fuzz
