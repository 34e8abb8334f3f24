// SPDX-License-Identifier: MIT
#include "loop/side_loop.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace hfpour;

namespace {

Task<Result<void>> nap(Reactor& reactor, Millis time, bool& ended) {
  co_await reactor.sleep(time, CancelToken());
  ended = true;
  co_return Result<void>();
}

Task<void> until_told(Condition& changed, const bool& told) {
  while (!told) co_await changed.wait(CancelToken());
}

}  // namespace

TEST_CASE("side loop: tasks run on a thread of its own, which has its name") {
  SystemClock clock;
  Reactor loop(clock);
  Condition changed;
  bool told = false;
  bool slept = false;
  std::thread::id ran_on;
  std::string name;
  SideLoop side(clock, "beside");  // after all that its task writes: that may end when this does
  side.spawn([&] {
    ran_on = std::this_thread::get_id();
    std::ifstream("/proc/thread-self/comm") >> name;
    loop.post([&] {
      told = true;
      changed.notify();
    });
    return nap(side.reactor(), Millis(0), slept);
  });
  loop.run(until_told(changed, told));
  CHECK(ran_on != std::this_thread::get_id());
  CHECK(name == "beside");
}

TEST_CASE("side loop: it ends when its tasks have ended, in whatever order they do") {
  SystemClock clock;
  bool slow = false;
  bool quick = false;
  {
    SideLoop side(clock, "beside");
    side.spawn([&] { return nap(side.reactor(), Millis(30), slow); });
    side.spawn([&] { return nap(side.reactor(), Millis(1), quick); });
  }
  CHECK(slow);
  CHECK(quick);
}

TEST_CASE("side loop: what is posted to it is called in the order in which it was") {
  SystemClock clock;
  std::vector<int> seen;
  {
    SideLoop side(clock, "beside");
    for (int i = 0; i < 1'000; ++i) side.reactor().post([&seen, i] { seen.push_back(i); });
  }
  REQUIRE(seen.size() == 1'000);
  CHECK(std::ranges::is_sorted(seen));
}

TEST_CASE("side loop: a wait counts while it lasts") {
  SystemClock clock;
  SideLoop side(clock, "beside");
  // It has nothing to do, and its own timer is a second away.
  const SteadyTime begun = clock.now();
  while (side.reactor().waited() == SteadyTime::duration() && clock.now() - begun < std::chrono::minutes(1)) {
    std::this_thread::yield();
  }
  CHECK(side.reactor().waited() > SteadyTime::duration());
  CHECK(clock.now() - begun < std::chrono::milliseconds(900));
}
