// SPDX-License-Identifier: MIT
#include "pipe/tar.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

namespace hfpour {
namespace {

constexpr std::size_t block = 512;
constexpr std::size_t name_bytes = 100;
constexpr std::size_t prefix_bytes = 155;
constexpr Bytes largest_octal = 077777777777;  ///< eleven digits: 8 GiB - 1
constexpr unsigned modified = 1;
/// The name that tools which know no pax headers would give one.
constexpr std::string_view pax_name = "././@PaxHeader";

/// How a path stands in a ustar header.
struct Name {
  std::string prefix;
  std::string name;
  bool fits = true;  ///< else the name is cut, and a pax record holds it whole
};

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Name split(std::string_view path) {
  if (is_ascii(path)) {
    if (path.size() <= name_bytes) return Name{"", std::string(path)};
    // The first slash that leaves a name short enough gives the shortest prefix.
    const std::size_t slash = path.find('/', path.size() - name_bytes - 1);
    const bool found = slash != std::string_view::npos && slash > 0 && slash + 1 < path.size();
    if (found && slash <= prefix_bytes)
      return Name{std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
  }
  std::string rest(path.substr(path.size() - std::min(path.size(), name_bytes)));
  for (char& c : rest) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '_';
  }
  while (rest.starts_with('/')) rest.erase(0, 1);
  return Name{"", rest, false};
}

void put(std::string& header, std::size_t at, std::string_view text) {
  header.replace(at, text.size(), text);
}

/// Twelve bytes: eleven octal digits, or base 256 with the top bit set, which is what tools understand that do not read
/// the pax record standing before it.
std::string size_field(Bytes size) {
  if (size <= largest_octal) return fmt::format("{:011o}", size) + '\0';
  std::string field(12, '\0');
  field[0] = static_cast<char>(0x80);
  for (std::size_t i = 11; i > 3; --i, size >>= 8) field[i] = static_cast<char>(size & 0xff);
  return field;
}

std::string header_block(const Name& name, Bytes size, char type) {
  std::string header(block, '\0');
  put(header, 0, name.name);
  put(header, 100, "0000644");
  put(header, 108, "0000000");
  put(header, 116, "0000000");
  put(header, 124, size_field(size));
  put(header, 136, fmt::format("{:011o}", modified));
  put(header, 148, "        ");
  header[156] = type;
  put(header, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  put(header, 345, name.prefix);
  const unsigned sum = std::accumulate(header.begin(), header.end(), 0U,
                                       [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
  put(header, 148, fmt::format("{:06o}", sum) + '\0');
  return header;
}

std::string padding(Bytes size) {
  return std::string((block - size % block) % block, '\0');
}

/// `27 path=…\n`, where the number counts itself as well.
std::string record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

std::string Tar::head(const FileEntry& file) const {
  const Name name = split(file.path);
  std::string records;
  if (!name.fits) records += record("path", file.path);
  if (file.size > largest_octal) records += record("size", std::to_string(file.size));
  std::string text;
  if (!records.empty()) {
    text = header_block(Name{"", std::string(pax_name)}, records.size(), 'x') + records + padding(records.size());
  }
  return text + header_block(name, file.size, '0');
}

std::string Tar::tail(const FileEntry& file) const {
  return padding(file.size);
}

std::string Tar::end() const {
  return std::string(2 * block, '\0');
}

}  // namespace hfpour
