// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace hfpour {

/// Reads a time of ISO 8601 in UTC, in either form: `2026-11-21T10:20:30[.fraction]Z`, as S3 lists times, and
/// `20261121T102030Z`, as signatures carry them. The fraction is dropped. Nothing for any other text, for a date that
/// does not exist, and outside the years 1970 to 2261. Pure; any thread.
std::optional<WallTime> parse_iso_time(std::string_view text);

}  // namespace hfpour
