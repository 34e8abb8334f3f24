// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace hfpour {
namespace {

constexpr std::string_view hex_lower = "0123456789abcdef";
constexpr std::string_view hex_upper = "0123456789ABCDEF";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower_letter(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/// U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069: they reorder or break what a terminal shows around them.
bool turns_text(std::string_view letter) {
  if (letter.size() != 3 || letter[0] != '\xe2') return false;
  const auto middle = static_cast<unsigned char>(letter[1]);
  const auto last = static_cast<unsigned char>(letter[2]);
  if (middle == 0x80) return last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae);
  return middle == 0x81 && last >= 0xa6 && last <= 0xa9;
}

}  // namespace

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  constexpr std::string_view units = "smhd";
  constexpr std::array<std::uint64_t, 4> lengths = {1, 60, 3'600, 86'400};
  constexpr std::uint64_t most = 3'650 * lengths.back();
  const std::size_t unit = units.find(text.back());
  const std::optional<Bytes> number = parse_decimal(text.substr(0, text.size() - 1));
  if (unit == std::string_view::npos || !number || *number > most / lengths[unit]) return std::nullopt;
  return std::chrono::seconds(*number * lengths[unit]);
}

std::size_t letter_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t more = lead < 0x80 ? 0 : lead >> 5U == 6 ? 1 : lead >> 4U == 14 ? 2 : lead >> 3U == 30 ? 3 : 9;
  if (more > 3 || more >= text.size()) return 0;
  unsigned point = more == 0 ? lead : lead & (0x3fU >> more);
  for (std::size_t i = 1; i <= more; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if (next >> 6U != 2) return 0;
    point = point << 6U | (next & 0x3fU);
  }
  const bool overlong = (more == 1 && point < 0x80) || (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : more + 1;
}

std::string to_hex(ByteView bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    hex += hex_lower[std::to_integer<unsigned>(b) >> 4];
    hex += hex_lower[std::to_integer<unsigned>(b) & 15U];
  }
  return hex;
}

std::optional<std::vector<std::byte>> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::vector<std::byte> bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_letter(c);
  return lower;
}

bool same_but_for_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char left, char right) { return lower_letter(left) == lower_letter(right); });
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_list(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  while (true) {
    const std::size_t cut = text.find(separator);
    const std::string_view piece = trim(text.substr(0, cut));
    if (!piece.empty()) pieces.emplace_back(piece);
    if (cut == std::string_view::npos) return pieces;
    text.remove_prefix(cut + 1);
  }
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && keep_slash)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex_upper[byte >> 4U];
    out += hex_upper[byte & 15U];
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<Bytes> parse_decimal(std::string_view text) {
  Bytes value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (text.empty() || failed != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= limit) return out + "…";
    const std::size_t length = letter_length(text);
    const std::string_view letter = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(letter.size());
    const auto lead = static_cast<unsigned char>(letter[0]);
    const auto second = letter.size() > 1 ? static_cast<unsigned char>(letter[1]) : 0U;
    // C0, DEL, and C1 (U+0080 to U+009F), which some terminals obey as well.
    const bool control = lead < 0x20 || lead == 0x7f || (lead == 0xc2 && second < 0xa0) || turns_text(letter);
    if (length > 0 && !control) {
      out += letter;
      continue;
    }
    for (const char c : letter) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = letter_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace hfpour
