// SPDX-License-Identifier: MIT
#include "s3/listing_guard.h"

#include <doctest/doctest.h>

using namespace hfpour;
using s3::ListingGuard;

namespace {

std::string mark(unsigned number) {
  return "mark " + std::to_string(number);
}

}  // namespace

TEST_CASE("listing guard: a listing that ends is never suspected, a circle of any length is found") {
  ListingGuard straight("keys", 10'000);
  for (unsigned i = 0; i < 10'000; ++i) REQUIRE(straight.pass(1, 1, mark(i)).has_value());
  for (unsigned tail = 0; tail < 9; ++tail) {
    for (unsigned length = 1; length < 20; ++length) {
      CAPTURE(tail);
      CAPTURE(length);
      ListingGuard guard("keys", MiB);
      unsigned steps = 0;
      Result<void> goes_on;
      while ((goes_on = guard.pass(1, 1, mark(steps < tail ? 1'000 + steps : (steps - tail) % length)))) {
        REQUIRE(++steps < 4 * (tail + length) + 4);
      }
      CHECK(steps >= length);
      CHECK(goes_on.error().kind == Kind::protocol);
    }
  }
}

TEST_CASE("listing guard: what outgrows its memory is a limit, told with the number") {
  ListingGuard guard("'s3://bucket/p/'", 4 * KiB);
  for (unsigned i = 0; i < 4; ++i) REQUIRE(guard.pass(1'000, KiB, mark(i)).has_value());
  const Result<void> full = guard.pass(1, 1, mark(4));
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().kind == Kind::quota);
  CHECK(full.error().sentence.find("'s3://bucket/p/'") != std::string::npos);
  CHECK(full.error().sentence.find("4.0 KiB") != std::string::npos);
}

TEST_CASE("listing guard: empty pages are passed over, a thousand in a row are not") {
  ListingGuard guard("keys", MiB);
  unsigned number = 0;
  for (unsigned i = 0; i < 999; ++i) REQUIRE(guard.pass(0, 0, mark(number++)).has_value());
  REQUIRE(guard.pass(1, 1, mark(number++)).has_value());
  for (unsigned i = 0; i < 999; ++i) REQUIRE(guard.pass(0, 0, mark(number++)).has_value());
  const Result<void> empty = guard.pass(0, 0, mark(number));
  REQUIRE_FALSE(empty.has_value());
  CHECK(empty.error().kind == Kind::protocol);
}
