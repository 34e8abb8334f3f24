// SPDX-License-Identifier: MIT
#include "base/iso_time.h"

#include <chrono>
#include <string>

#include "base/text.h"

namespace hfpour {
namespace {

/// The digits of `text` where it has the shape's length and separators; empty for another one.
std::string digits_of(std::string_view text, std::string_view shape) {
  std::string digits;
  if (text.size() != shape.size()) return digits;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (shape[i] == '0' ? !digit : text[i] != shape[i]) return std::string();
    if (digit) digits += text[i];
  }
  return digits;
}

}  // namespace

std::optional<WallTime> parse_iso_time(std::string_view text) {
  constexpr std::string_view extended = "0000-00-00T00:00:00";
  constexpr std::string_view basic = "00000000T000000";
  text = trim(text);
  if (text.empty() || text.back() != 'Z') return std::nullopt;
  text.remove_suffix(1);
  std::string digits = digits_of(text.substr(0, extended.size()), extended);
  const bool fraction = !digits.empty() && text.size() > extended.size();
  if (fraction && (text[extended.size()] != '.' || !parse_decimal(text.substr(extended.size() + 1))))
    return std::nullopt;
  if (digits.empty()) digits = digits_of(text, basic);
  if (digits.empty()) return std::nullopt;
  const auto field = [&digits](std::size_t at, std::size_t size) {
    return static_cast<unsigned>(parse_decimal(std::string_view(digits).substr(at, size)).value_or(0));
  };
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(field(0, 4))),
                                         std::chrono::month(field(4, 2)), std::chrono::day(field(6, 2))};
  const unsigned hour = field(8, 2);
  const unsigned minute = field(10, 2);
  const unsigned second = field(12, 2);
  // The clock of the system counts nanoseconds in 64 bits, which end in the year 2262.
  const bool countable = field(0, 4) >= 1970 && field(0, 4) < 2262;
  if (!date.ok() || !countable || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace hfpour
