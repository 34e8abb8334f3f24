// SPDX-License-Identifier: MIT
#include "s3/open_uploads.h"

#include <doctest/doctest.h>

using namespace hfpour;

TEST_CASE("circle guard: a listing that ends is never suspected, a circle of any length is found") {
  s3::CircleGuard straight;
  for (unsigned i = 0; i < 10'000; ++i) REQUIRE(straight.pass("mark " + std::to_string(i)));
  for (unsigned tail = 0; tail < 9; ++tail) {
    for (unsigned length = 1; length < 20; ++length) {
      CAPTURE(tail);
      CAPTURE(length);
      s3::CircleGuard guard;
      unsigned steps = 0;
      while (guard.pass("mark " + std::to_string(steps < tail ? 1'000 + steps : (steps - tail) % length))) {
        REQUIRE(++steps < 4 * (tail + length) + 4);
      }
      CHECK(steps >= length);
    }
  }
}
