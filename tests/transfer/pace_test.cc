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
  Pace pace{{16, 16}, observer, progress};
  SteadyTime now{std::chrono::hours(1)};

  unsigned after(Millis time, unsigned throttled = 0) {
    now += time;
    progress.throttled += throttled;
    pace.look(Pulse{.now = now, .busy = pace.allowed()});
    return pace.allowed();
  }
};

/// A job whose speed follows from the number of its lanes.
struct TunedBench {
  NotedObserver observer;
  Progress progress;
  Pace pace{{8, 64}, observer, progress};
  SteadyTime now{std::chrono::hours(1)};
  double load = 0.3;
  bool more_work = true;
  unsigned stuck = 0;  ///< lanes beyond what is allowed that have not ended yet

  /// The lanes after `seconds` in which `rate(lanes)` gave the MiB of each second.
  template <class Rate>
  unsigned after(unsigned seconds, Rate rate) {
    for (unsigned tick = 0; tick < seconds * 5; ++tick) {
      now += Millis(200);
      const unsigned busy = pace.allowed() + stuck;
      progress.received_bytes += static_cast<Bytes>(rate(busy) * static_cast<double>(MiB) / 5);
      pace.look(Pulse{now, load, busy, more_work});
    }
    return pace.allowed();
  }
};

/// Each connection brings its own share.
double by_connections(unsigned lanes) {
  return 28.0 * lanes;
}
/// A link of 100 MiB/s.
double thin(unsigned lanes) {
  return std::min(100.0, 28.0 * lanes);
}

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

TEST_CASE("pace: who asked to slow down before the lanes began did not mean them") {
  PaceBench bench;
  Progress earlier;
  earlier.throttled = 3;
  Pace pace({16, 16}, bench.observer, earlier);
  pace.look(Pulse{.now = bench.now, .busy = 16});
  CHECK(pace.allowed() == 16);
  ++earlier.throttled;
  pace.look(Pulse{.now = bench.now + Millis(200), .busy = 16});
  CHECK(pace.allowed() == 8);
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
    bench.pace.look(Pulse{.now = SteadyTime(std::chrono::hours(1 + i))});
  }
  REQUIRE(bench.pace.allowed() == 1);
  CHECK(bench.pour(4, 32, 16).has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.memory_source.most_open == 1);
}

TEST_CASE("pace: lanes are doubled as long as that brings more") {
  TunedBench bench;
  CHECK(bench.after(1, by_connections) == 8);
  CHECK(bench.after(10, by_connections) == 64);
  CHECK(bench.after(600, by_connections) == 64);
}

TEST_CASE("pace: four times as many when the machine has hardly anything to do") {
  TunedBench bench;
  bench.load = 0.1;
  CHECK(bench.after(1, by_connections) == 8);
  CHECK(bench.after(1, by_connections) == 32);
  CHECK(bench.after(5, by_connections) == 64);
}

TEST_CASE("pace: a thin link gets as many lanes as fill it, and is asked again minutes later") {
  TunedBench bench;
  CHECK(bench.after(20, thin) == 4);  // three are 84 MiB/s, and fewer than four are not tried
  CHECK(bench.after(9, thin) == 4);
  // Another link, once the quiet time is over.
  CHECK(bench.after(60, by_connections) == 64);
}

TEST_CASE("pace: a number in between stays when half of it is slower and twice of it is not faster") {
  TunedBench bench;
  const auto link = [](unsigned lanes) { return std::min(400.0, 28.0 * lanes); };
  CHECK(bench.after(20, link) == 16);
  std::uint64_t changes = 0;
  for (unsigned last = 16, i = 0; i < 600; ++i) {
    const unsigned lanes = bench.after(1, link);
    changes += lanes != last ? 1 : 0;
    last = lanes;
  }
  CHECK(changes <= 12);  // trials become rare
  CHECK(bench.pace.allowed() == 16);
}

TEST_CASE("pace: no lane more when the cores are full, when there is nothing for it, or when bytes do not come") {
  TunedBench bench;
  bench.load = full_load;
  CHECK(bench.after(60, by_connections) == 8);
  bench.load = 0.3;
  bench.more_work = false;
  CHECK(bench.after(60, by_connections) == 8);
  bench.more_work = true;
  CHECK(bench.after(60, [](unsigned) { return 0.0; }) == 8);
  CHECK(bench.after(60, by_connections) == 64);
}

TEST_CASE("pace: a trial is not judged before the lanes are as many as it says") {
  TunedBench bench;
  CHECK(bench.after(2, thin) == 16);
  bench.stuck = 3;
  CHECK(bench.after(100, thin) == 16);
  bench.stuck = 0;
  CHECK(bench.after(20, thin) == 4);
}

TEST_CASE("pace: after a refusal nothing is tried for a while, and the way back ends where it was") {
  TunedBench bench;
  CHECK(bench.after(3, by_connections) >= 16);
  const unsigned before = bench.pace.allowed();
  bench.progress.throttled = 5;
  CHECK(bench.after(1, by_connections) == before / 2);
  unsigned most = 0;
  for (unsigned i = 0; i < 25; ++i) most = std::max(most, bench.after(1, by_connections));
  CHECK(most <= before);
  CHECK(bench.after(120, by_connections) == 64);
}

TEST_CASE("pace: stripes that come in bursts are not taken for a link that is full") {
  for (unsigned phase = 0; phase < 6; ++phase) {
    CAPTURE(phase);
    TunedBench bench;
    bench.load = 0.1;
    unsigned tick = phase;
    // Every 1.2 s each lane brings 8 MiB at once.
    const auto bursts = [&tick](unsigned lanes) { return ++tick % 6 == 0 ? 40.0 * lanes : 0.0; };
    CHECK(bench.after(30, bursts) >= 32);
  }
}

TEST_CASE("pace: cores that are full in bursts are not full") {
  for (unsigned phase = 0; phase < 5; ++phase) {
    CAPTURE(phase);
    TunedBench bench;
    unsigned tick = phase;
    // Each second the loop is at work for two fifths of it, whenever a window may end.
    const auto bursts = [&bench, &tick](unsigned lanes) {
      bench.load = ++tick % 5 < 2 ? 1.0 : 0.1;
      return by_connections(lanes);
    };
    CHECK(bench.after(30, bursts) == 64);
  }
}
