// SPDX-License-Identifier: MIT
#include "base/backoff.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "support/manual_clock.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

constexpr Kind all_kinds[] = {Kind::cancelled, Kind::usage,   Kind::not_found, Kind::empty_selection, Kind::forbidden,
                              Kind::integrity, Kind::quota,   Kind::throttled, Kind::unavailable,     Kind::network,
                              Kind::timeout,   Kind::expired, Kind::protocol,  Kind::internal};

}  // namespace

TEST_CASE("backoff: delays stay below a ceiling that doubles up to the cap, until the patience is over") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    ManualClock clock;
    Random random(seed);
    RetryPolicy policy;
    policy.first = Millis(100);
    policy.cap = Millis(1'000);
    policy.patience = Millis(20'000);
    Backoff backoff(policy, random, clock);
    Millis ceiling(100);
    const SteadyTime first = clock.now();
    while (const auto delay = backoff.after(Error(Kind::network, "reset"))) {
      REQUIRE(*delay >= Millis(0));
      REQUIRE(*delay < ceiling);
      REQUIRE(clock.now() - first < policy.patience);
      ceiling = std::min(ceiling * 2, Millis(1'000));
      clock.advance(*delay);
    }
    CHECK(clock.now() - first >= policy.patience);
    CHECK(clock.now() - first <= policy.patience + policy.first);  // no wait goes on for long after it
    CHECK(backoff.failures() > 20);
  }
}

TEST_CASE("backoff: as it comes it is patient for five minutes") {
  ManualClock clock;
  Random random(3);
  Backoff backoff(RetryPolicy(), random, clock);
  const SteadyTime first = clock.now();
  while (const auto delay = backoff.after(Error(Kind::unavailable, "503"))) clock.advance(*delay + Millis(100));
  CHECK(clock.now() - first >= std::chrono::minutes(5));
  CHECK(clock.now() - first < std::chrono::minutes(6));
}

TEST_CASE("backoff: attempts that take longer than the patience are made three times all the same") {
  ManualClock clock;
  Random random(3);
  Backoff backoff(RetryPolicy(), random, clock);
  for (unsigned i = 1; i < 3; ++i) {
    CHECK(backoff.after(Error(Kind::timeout, "")).has_value());
    clock.advance(std::chrono::minutes(10));
  }
  CHECK_FALSE(backoff.after(Error(Kind::timeout, "")).has_value());
}

TEST_CASE("backoff: the delays of many lanes are spread, and the same seed gives the same") {
  ManualClock clock;
  Random random(5);
  Random same(5);
  unsigned early = 0;
  for (unsigned i = 0; i < 1'000; ++i) {
    Backoff one(RetryPolicy(), random, clock);
    Backoff two(RetryPolicy(), same, clock);
    const auto delay = one.after(Error(Kind::timeout, ""));
    REQUIRE(delay);
    CHECK(delay == two.after(Error(Kind::timeout, "")));
    if (*delay < Millis(250)) ++early;
  }
  CHECK(early > 400);
  CHECK(early < 600);
}

TEST_CASE("backoff: progress begins the count anew") {
  ManualClock clock;
  Random random(1);
  Backoff backoff(RetryPolicy(), random, clock);
  for (unsigned i = 0; i < 50; ++i) {
    for (unsigned j = 0; j < 2; ++j) {
      CHECK(backoff.after(Error(Kind::network, "")).has_value());
      clock.advance(std::chrono::minutes(4));
    }
    backoff.progress();
  }
  CHECK(backoff.failures() == 0);
}

TEST_CASE("backoff: the wish of the other side is a floor") {
  ManualClock clock;
  Random random(1);
  Backoff backoff(RetryPolicy(), random, clock);
  Error slow(Kind::throttled, "SlowDown");
  slow.retry_after = Millis(45'000);
  for (unsigned i = 0; i < 10; ++i) {
    const auto delay = backoff.after(slow);
    REQUIRE(delay);
    CHECK(*delay >= Millis(45'000));
    CHECK(*delay <= Millis(46'000));
  }
}

TEST_CASE("backoff: a final error gets no delay") {
  ManualClock clock;
  for (const Kind kind : all_kinds) {
    CAPTURE(to_string(kind));
    Random random(1);
    Backoff backoff(RetryPolicy(), random, clock);
    CHECK(backoff.after(Error(kind, "")).has_value() == is_retryable(kind));
  }
}

TEST_CASE("error: which kinds are worth another try") {
  for (const Kind kind :
       {Kind::throttled, Kind::unavailable, Kind::network, Kind::timeout, Kind::expired, Kind::protocol}) {
    CHECK(is_retryable(kind));
  }
  for (const Kind kind : {Kind::cancelled, Kind::usage, Kind::not_found, Kind::empty_selection, Kind::forbidden,
                          Kind::integrity, Kind::quota, Kind::internal}) {
    CHECK_FALSE(is_retryable(kind));
  }
}

TEST_CASE("error: every kind has a word of its own") {
  std::vector<std::string_view> words;
  for (const Kind kind : all_kinds) words.push_back(to_string(kind));
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(words[i] != words[j]);
  }
}

TEST_CASE("error: context goes in front, facts behind") {
  Error error(Kind::unavailable, "the store is in trouble");
  CHECK(error.describe() == "the store is in trouble");
  error.http_status = 503;
  error.code = "SlowDown";
  error.request_id = "tx1";
  const Error outer = error.at("part 3").at("'file'");
  CHECK(outer.sentence == "'file': part 3: the store is in trouble");
  CHECK(outer.describe() == "'file': part 3: the store is in trouble (HTTP 503, SlowDown, request id tx1)");
  CHECK(outer.kind == Kind::unavailable);
}

TEST_CASE("result: holds a value or an error, and moves what cannot be copied") {
  Result<std::unique_ptr<int>> good(std::make_unique<int>(7));
  REQUIRE(good.has_value());
  const std::unique_ptr<int> taken = *std::move(good);
  CHECK(*taken == 7);
  const Result<std::string> bad(Error(Kind::quota, "full"));
  CHECK_FALSE(bad);
  CHECK(bad.error().kind == Kind::quota);
  CHECK(Result<void>().has_value());
  CHECK_FALSE(Result<void>(Error(Kind::quota, "full")).has_value());
  Result<std::string> text(std::string("abc"));
  text->push_back('d');
  CHECK(*text == "abcd");
}
