// SPDX-License-Identifier: MIT
#include "loop/reactor.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "loop/condition.h"
#include "loop/deadline.h"
#include "loop/signals.h"
#include "loop/task_group.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

Task<SteadyTime> sleep_for(Reactor& reactor, Millis delay, CancelToken cancel) {
  co_await reactor.sleep(delay, cancel);
  co_return reactor.clock().now();
}

Task<Result<void>> note_after(Reactor& reactor, Millis delay, std::vector<int>& order) {
  co_await reactor.sleep(delay, CancelToken());
  order.push_back(static_cast<int>(delay.count()));
  co_return Result<void>();
}

Task<Result<void>> sleep_side_by_side(Reactor& reactor, std::vector<int>& order) {
  TaskGroup group(reactor.ready(), CancelToken());
  for (const int ms : {900, 100, 0, 500, 300}) group.spawn(note_after(reactor, Millis(ms), order));
  Result<void> joined = co_await group.join();
  co_return joined;
}

Task<void> wait_for(Condition& changed, const bool& there) {
  while (!there) co_await changed.wait(CancelToken());
}

Task<bool> watch_token(CancelToken token, Reactor& reactor) {
  co_await reactor.sleep(Millis(1'000'000), token);
  co_return token.cancelled();
}

Task<bool> wait_for_deadline(Reactor& reactor, Millis limit) {
  Deadline deadline(reactor, limit);
  const bool cancelled = co_await watch_token(deadline.token(), reactor);
  co_return cancelled;
}

Task<Result<void>> note_one(Condition& came, std::vector<std::string>& order) {
  co_await came.wait(CancelToken());
  order.push_back("went on");
  co_return Result<void>();
}

Task<Result<void>> note_both(Reactor& reactor, std::array<Condition, 2>& came, std::vector<std::string>& order) {
  TaskGroup group(reactor.ready(), CancelToken());
  for (Condition& one : came) group.spawn(note_one(one, order));
  Result<void> joined = co_await group.join();
  co_return joined;
}

}  // namespace

TEST_CASE("reactor: a sleep lasts as long as it should, and none not at all") {
  TestLoop loop;
  const SteadyTime begun = loop.clock.now();
  const SteadyTime woken = loop.run(sleep_for(loop.reactor, Millis(7'000), CancelToken()));
  CHECK(woken - begun >= Millis(7'000));
  CHECK(woken - begun < Millis(7'100));
  const SteadyTime before = loop.clock.now();
  CHECK(loop.run(sleep_for(loop.reactor, Millis(0), CancelToken())) - before < Millis(50));
  CHECK(loop.run(sleep_for(loop.reactor, Millis(-5), CancelToken())) - before < Millis(100));
}

TEST_CASE("reactor: sleepers wake in the order of their times") {
  TestLoop loop;
  std::vector<int> order;
  CHECK(loop.run(sleep_side_by_side(loop.reactor, order)).has_value());
  CHECK(order == std::vector<int>{0, 100, 300, 500, 900});
}

TEST_CASE("reactor: a cancelled sleep ends at once") {
  TestLoop loop;
  CancelSource stop;
  loop.reactor.at(loop.clock.now() + Millis(100), [&stop] { stop.cancel(); });
  const SteadyTime begun = loop.clock.now();
  const SteadyTime woken = loop.run(sleep_for(loop.reactor, Millis(1'000'000), stop.token()));
  CHECK(woken - begun < Millis(200));
  const SteadyTime again = loop.run(sleep_for(loop.reactor, Millis(1'000'000), stop.token()));
  CHECK(again - woken < Millis(200));
}

TEST_CASE("reactor: a sleep whose end and cancellation fall together wakes once") {
  for (const int offset : {-5, 0, 5}) {
    TestLoop loop;
    CancelSource stop;
    loop.reactor.at(loop.clock.now() + Millis(100), [&stop] { stop.cancel(); });
    loop.run(sleep_for(loop.reactor, Millis(100 + offset), stop.token()));
    loop.run(sleep_for(loop.reactor, Millis(200), CancelToken()));
    CHECK(stop.cancelled());
  }
}

TEST_CASE("reactor: a timer that was forgotten is not called") {
  TestLoop loop;
  int calls = 0;
  const Reactor::TimerId forgotten = loop.reactor.at(loop.clock.now() + Millis(10), [&calls] { calls += 100; });
  loop.reactor.at(loop.clock.now() + Millis(10), [&calls] { ++calls; });
  loop.reactor.forget(forgotten);
  loop.run(sleep_for(loop.reactor, Millis(50), CancelToken()));
  CHECK(calls == 1);
}

TEST_CASE("reactor: calls for later run outside of what asked for them, in order") {
  TestLoop loop;
  std::vector<int> order;
  loop.reactor.soon([&] {
    loop.reactor.soon([&order] { order.push_back(3); });
    order.push_back(1);
  });
  loop.reactor.soon([&order] { order.push_back(2); });
  CHECK(order.empty());
  loop.run(sleep_for(loop.reactor, Millis(20), CancelToken()));
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("reactor: a call posted by another thread wakes a waiting loop") {
  // With the machine's clock and no timer: a loop that is not woken would wait a full second each
  // time.
  SystemClock clock;
  Reactor reactor(clock);
  const SteadyTime begun = clock.now();
  for (unsigned i = 0; i < 20; ++i) {
    Condition changed;
    bool there = false;
    const std::thread::id loop_thread = std::this_thread::get_id();
    std::thread::id called_on;
    const std::jthread other([&] {
      reactor.post([&] {
        called_on = std::this_thread::get_id();
        there = true;
        changed.notify();
      });
    });
    reactor.run(wait_for(changed, there));
    CHECK(called_on == loop_thread);
  }
  CHECK(clock.now() - begun < std::chrono::seconds(10));
}

TEST_CASE("reactor: a task that ends with a posted call ends there, and waits for nothing more") {
  SystemClock clock;
  Reactor reactor(clock);
  Condition changed;
  bool there = false;
  reactor.post([&] {
    there = true;
    changed.notify();
  });
  reactor.run(wait_for(changed, there));
  CHECK(reactor.waited() == SteadyTime::duration::zero());
}

TEST_CASE("reactor: calls posted by many threads all come, each thread's in order") {
  TestLoop loop;
  Condition changed;
  bool all = false;
  std::vector<std::vector<int>> seen(4);
  std::size_t count = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < seen.size(); ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          loop.reactor.post([&, t, i] {
            seen[t].push_back(i);
            all = ++count == 2'000;
            if (all) changed.notify();
          });
        }
      });
    }
    loop.run(wait_for(changed, all));
  }
  for (const std::vector<int>& of_thread : seen) {
    REQUIRE(of_thread.size() == 500);
    CHECK(std::ranges::is_sorted(of_thread));
  }
}

TEST_CASE("reactor: input on a watched descriptor wakes the loop") {
  SystemClock clock;
  Reactor reactor(clock);
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  Condition changed;
  bool there = false;
  reactor.watch(ends[0], [&] {
    char byte = 0;
    there = read(ends[0], &byte, 1) == 1 && byte == 'x';
    changed.notify();
  });
  const std::jthread other([&ends] { CHECK(write(ends[1], "x", 1) == 1); });
  reactor.run(wait_for(changed, there));
  CHECK(there);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("signals: one that was sent is delivered on the loop") {
  SystemClock clock;
  Reactor reactor(clock);
  Signals signals({SIGUSR1});
  Condition changed;
  bool there = false;
  signals.deliver_to(reactor, [&](int number) {
    there = number == SIGUSR1;
    changed.notify();
  });
  CHECK(kill(getpid(), SIGUSR1) == 0);
  reactor.run(wait_for(changed, there));
  CHECK(there);
}

TEST_CASE("deadline: cancels its token when the time is over, and is silent when it is not needed") {
  TestLoop loop;
  const SteadyTime begun = loop.clock.now();
  CHECK(loop.run(wait_for_deadline(loop.reactor, Millis(300))));
  CHECK(loop.clock.now() - begun < Millis(500));
  { Deadline unused(loop.reactor, Millis(300)); }
  loop.run(sleep_for(loop.reactor, Millis(600), CancelToken()));
}

TEST_CASE("reactor: what one descriptor brought goes on before the next one is looked at") {
  SystemClock clock;
  Reactor reactor(clock);
  const std::array<int, 2> ends = {eventfd(1, EFD_CLOEXEC), eventfd(1, EFD_CLOEXEC)};
  std::array<Condition, 2> came;
  std::vector<std::string> order;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    reactor.watch(ends[i], [&, i] {
      eventfd_t count = 0;
      eventfd_read(ends[i], &count);
      order.push_back("came");
      came[i].notify();
    });
  }
  const Result<void> done = reactor.run(note_both(reactor, came, order));
  CHECK(done);
  for (const int end : ends) close(end);
  CHECK(order == std::vector<std::string>{"came", "went on", "came", "went on"});
}
