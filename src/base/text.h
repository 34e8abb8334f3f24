// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace hfpour {

/// Lower-case hexadecimal of some bytes.
std::string to_hex(ByteView bytes);

/// The bytes of a hexadecimal text of either case; nothing if it is not one.
std::optional<std::vector<std::byte>> from_hex(std::string_view hex);

/// ASCII lower case.
std::string to_lower(std::string_view text);

/// True when the two differ in nothing but the case of ASCII letters.
bool same_but_for_case(std::string_view a, std::string_view b);

/// `text` without ASCII blanks at both ends.
std::string_view trim(std::string_view text);

/// The pieces between `separator`s, trimmed, without empty ones.
std::vector<std::string> split_list(std::string_view text, char separator);

/// Percent-encodes every byte but `A-Z a-z 0-9 - . _ ~`, hex in upper case; `/` is kept if `keep_slash`.
/// This one rule serves Hub paths (contract hub §3.1) and SigV4 (contract s3 §2.1).
std::string percent_encode(std::string_view text, bool keep_slash);

/// Decodes `%XX`; a broken escape stays as it is. `+` is not special.
std::string percent_decode(std::string_view text);

/// A whole text as an unsigned decimal number; nothing if it is anything else or too large.
std::optional<Bytes> parse_decimal(std::string_view text);

/// A whole number with a unit, `s`, `m`, `h` or `d`: `90m`. Nothing for anything else, or more than 10 years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// Bytes of the UTF-8 letter `text` (not empty) begins with, 1 to 4; 0 if it is not a well-formed one.
std::size_t letter_length(std::string_view text);

/// The text as it may stand in a log line: control characters and bytes that are not UTF-8 become `\xNN`; cut after
/// about `limit` bytes, never inside a letter.
std::string printable(std::string_view text, std::size_t limit = 400);

/// True for well-formed UTF-8.
bool is_utf8(std::string_view text);

}  // namespace hfpour
