// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

/// What the fuzz targets share. A target is one `.cc` with `take`; its seeds lie in `seeds/<target>/`.
namespace hfpour::fuzz {

/// One input, at most `longest_input` bytes of anything. Written by each target.
void take(std::string_view input);

/// Ends the process, which libFuzzer reports as a crash, unless `holds`; `what` says which property was broken.
void require(bool holds, const char* what);

/// The first line of `input`, which then begins behind it.
std::string_view take_line(std::string_view& input);

/// All lines, without their ends.
std::vector<std::string> lines_of(std::string_view input);

/// What every `Error` keeps: well-formed UTF-8, on one line, without control characters.
void require_fit_for_a_log(const Error& error);

/// Put by targets where a secret stands: no error may repeat it.
inline constexpr std::string_view hidden = "hushhushhush";

/// As `require_fit_for_a_log`; and nothing of `hidden` is shown, unless `input` itself holds it in another place.
void require_kept_secret(const Error& error, std::string_view input);

}  // namespace hfpour::fuzz
