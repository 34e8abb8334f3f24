// SPDX-License-Identifier: MIT
#include "cli/exit_status.h"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

using namespace hfpour;
using namespace hfpour::cli;

TEST_CASE("exit status: each kind has the status of the README's table") {
  const std::vector<std::pair<Kind, int>> table = {
      {Kind::internal, 1},    {Kind::usage, 2},           {Kind::not_found, 3}, {Kind::throttled, 5},
      {Kind::unavailable, 5}, {Kind::empty_selection, 4}, {Kind::network, 5},   {Kind::timeout, 5},
      {Kind::expired, 5},     {Kind::protocol, 5},        {Kind::forbidden, 6}, {Kind::integrity, 7},
      {Kind::quota, 8},       {Kind::cancelled, 130},
  };
  for (const auto& [kind, status] : table) CHECK(exit_status(kind) == status);
}

TEST_CASE("exit status: what another try may mend is temporary, nothing else is") {
  for (int i = 0; i <= static_cast<int>(Kind::internal); ++i) {
    const Kind kind = static_cast<Kind>(i);
    CHECK((exit_status(kind) == static_cast<int>(ExitStatus::temporary)) == is_retryable(kind));
  }
}
