// SPDX-License-Identifier: MIT
#include "base/iso_time.h"

#include <doctest/doctest.h>

#include <string>

using namespace hfpour;

TEST_CASE("iso time: both forms are read to the second") {
  for (const std::string good :
       {"1970-01-02T00:00:05.999Z", "1970-01-02T00:00:05Z", "19700102T000005Z", " 19700102T000005Z\n"}) {
    CAPTURE(good);
    const auto time = parse_iso_time(good);
    REQUIRE(time.has_value());
    CHECK(time->time_since_epoch() == std::chrono::seconds(86405));
  }
  CHECK(parse_iso_time("2024-02-29T12:00:00Z") == parse_iso_time("20240229T120000Z"));
}

TEST_CASE("iso time: nothing else is a time") {
  for (const std::string bad :
       {"", "Z", "2026-11-21", "2026-11-21T10:20:30", "2026-13-21T10:20:30Z", "2026-02-30T10:20:30Z",
        "2026-11-21T24:20:30Z", "2026-11-21 10:20:30Z", "2o26-11-21T10:20:30Z", "9999-11-21T10:20:30Z",
        "1969-11-21T10:20:30Z", "2026-11-21T10:2é:30Z", "2026-11-21T10:20:30xZ", "2026-11-21T10:20:30.Z",
        "2026-11-21T10:20:30+01Z", "20261121T1020300Z", "20261121102030Z", "2026-11-21T102030Z", "20230229T000000Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_iso_time(bad).has_value());
  }
}
