// SPDX-License-Identifier: MIT
#include "transfer/pace.h"

#include <doctest/doctest.h>

#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

struct PaceBench {
  NotedObserver observer;
  Progress progress;
  Pace pace{16, observer, progress};
  SteadyTime now{std::chrono::hours(1)};

  unsigned after(Millis time, unsigned throttled = 0) {
    now += time;
    progress.throttled += throttled;
    pace.look(now);
    return pace.allowed();
  }
};

Task<Result<void>> upload(Pace& pace, Reactor& reactor, unsigned& active, unsigned& most, CancelToken cancel) {
  Result<void> begun = co_await pace.begin_upload(cancel);
  if (!begun) co_return begun;
  most = std::max(most, ++active);
  co_await reactor.sleep(Millis(5), cancel);
  --active;
  pace.upload_ended();
  co_return Result<void>();
}

}  // namespace

TEST_CASE("pace: halved by each wave of refusals, down to one lane, and back when it is calm") {
  PaceBench bench;
  CHECK(bench.after(Millis(100)) == 16);
  CHECK(bench.after(Millis(200), 20) == 8);
  CHECK(bench.after(Millis(200), 5) == 8);  // of the same wave
  CHECK(bench.after(Millis(200)) == 8);
  CHECK(bench.after(Millis(1'000), 1) == 4);
  CHECK(bench.after(Millis(1'000), 1) == 2);
  CHECK(bench.after(Millis(1'000), 1) == 1);
  CHECK(bench.after(Millis(1'000), 1) == 1);
  CHECK(bench.after(Millis(4'900)) == 1);
  CHECK(bench.after(Millis(200)) == 3);
  for (unsigned i = 0; i < 6; ++i) CHECK(bench.after(Millis(5'000)) == 5 + 2 * i);
  CHECK(bench.after(Millis(5'000)) == 16);
  CHECK(bench.after(Millis(5'000)) == 16);
  CHECK(bench.observer.remarks.size() == 5);  // four times slower, once back at full speed
}

TEST_CASE("pace: uploads under way follow the lanes") {
  PaceBench bench;
  TestLoop loop;
  CHECK(bench.after(Millis(1), 1) == 8);
  for (const unsigned allowed : {8U, 4U, 2U}) {
    CHECK(bench.pace.allowed() == allowed);
    unsigned active = 0;
    unsigned most = 0;
    TaskGroup group(loop.reactor.ready(), CancelToken());
    for (unsigned i = 0; i < 100; ++i) group.spawn(upload(bench.pace, loop.reactor, active, most, group.token()));
    CHECK(loop.run(group.join()).has_value());
    CHECK(most == allowed * 3);
    bench.after(Millis(1'000), 1);
  }
}

TEST_CASE("pace: a job that was slowed down to one lane ends with every file") {
  PourBench bench;
  for (unsigned i = 0; i < 12; ++i) bench.add("f" + std::to_string(i), pattern(16 * 5 + i, i));
  for (unsigned i = 0; i < 8; ++i) {
    bench.progress.throttled = i + 1;
    bench.pace.look(SteadyTime(std::chrono::hours(1 + i)));
  }
  REQUIRE(bench.pace.allowed() == 1);
  CHECK(bench.pour(4, 32, 16).has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.memory_source.most_open == 1);
}
