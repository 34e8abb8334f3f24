// SPDX-License-Identifier: MIT
#include "hub/pacer.h"

#include <doctest/doctest.h>

#include "support/test_loop.h"

using namespace hfpour;
using namespace std::chrono_literals;

namespace {

Task<Result<void>> turns(hub::Pacer& pacer, unsigned count) {
  for (unsigned i = 0; i < count; ++i) co_await pacer.turn("api", CancelToken());
  co_return Result<void>();
}

struct PacerBench {
  testing::TestLoop loop;
  Random random{1};
  hub::Pacer pacer{loop.reactor, random};

  void says(const char* limit) { says(200, "RateLimit", limit); }
  void says(int status, const char* name, const char* value) {
    http::Response answer;
    answer.status = status;
    answer.headers.add(name, value);
    pacer.note("api", answer);
  }
  /// How long so many requests, one after the other, are held back.
  SteadyTime::duration wait(unsigned count) {
    const SteadyTime begun = loop.clock.now();
    CHECK(loop.run(turns(pacer, count)));
    return loop.clock.now() - begun;
  }
};

}  // namespace

TEST_CASE("pacer: while there is plenty nobody waits") {
  PacerBench bench;
  CHECK(bench.wait(5) < 1s);
  bench.says("\"api\";r=400;t=300");
  CHECK(bench.wait(100) < 1s);
}

TEST_CASE("pacer: what is left of a window is spread over what is left of its time") {
  PacerBench bench;
  bench.says("\"api\";r=10;t=99");
  const auto took = bench.wait(10);
  CHECK(took > 60s);
  CHECK(took <= 100s);
}

TEST_CASE("pacer: a window that is said to last a day is not believed") {
  PacerBench bench;
  bench.says("\"api\";r=0;t=86400");
  const auto took = bench.wait(2);
  CHECK(took > 300s);
  CHECK(took < 602s);
}

TEST_CASE("pacer: nor is a refusal that wishes for a day") {
  PacerBench bench;
  bench.says(429, "Retry-After", "86400");
  const auto took = bench.wait(1);
  CHECK(took > 300s);
  CHECK(took < 602s);
}
