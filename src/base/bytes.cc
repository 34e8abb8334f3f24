// SPDX-License-Identifier: MIT
#include "base/bytes.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace hfpour {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 19> size_units = {{
    {"", 1},
    {"B", 1},
    {"k", 1e3},
    {"K", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"KB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
    {"Ki", 1024.0},
    {"Mi", 1048576.0},
    {"Gi", 1073741824.0},
    {"Ti", 1099511627776.0},
    {"KiB", 1024.0},
    {"MiB", 1048576.0},
    {"GiB", 1073741824.0},
    {"TiB", 1099511627776.0},
}};

Error bad_size(std::string_view text) {
  return Error(Kind::usage, fmt::format("'{}' is not a size: write a number with an optional unit, like 64Mi or 2G",
                                        printable(text, 100)));
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (failed != std::errc() || !(number >= 0)) return bad_size(text);  // "nan" is a number to from_chars
  std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  for (const Unit& unit : size_units) {
    if (unit.name != suffix) continue;
    const double bytes = std::floor(number * unit.factor);
    if (bytes > 9.0e18) return bad_size(text);
    return static_cast<Bytes>(bytes);
  }
  return bad_size(text);
}

std::string format_bytes(Bytes bytes) {
  if (bytes < KiB) return fmt::format("{} B", bytes);
  static constexpr std::array<std::string_view, 5> names = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024.0;
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < names.size()) {
    value /= 1024.0;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, names[unit]);
}

}  // namespace hfpour
