// SPDX-License-Identifier: MIT
#include "loop/task.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "loop/task_group.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

using Log = std::vector<std::string>;

/// Writes down when it dies.
struct Mark {
  Mark(Log& l, std::string n) : log(l), name(std::move(n)) {}
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;
  ~Mark() { log.push_back("-" + name); }
  Log& log;
  std::string name;
};

Task<int> leaf(Log& log, int value) {
  log.push_back("leaf " + std::to_string(value));
  co_return value;
}

Task<int> branch(Log& log) {
  log.push_back("begin");
  const int one = co_await leaf(log, 1);
  const int two = co_await leaf(log, 2);
  log.push_back("end");
  co_return one + two;
}

Task<long> sum(long count) {
  Log unused;
  long total = 0;
  for (long i = 0; i < count; ++i) {
    Task<int> task = leaf(unused, 1);
    total += co_await task;
    unused.clear();
  }
  co_return total;
}

Task<int> deep(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await deep(depth - 1);
  co_return below + 1;
}

Task<std::unique_ptr<int>> only_movable() {
  co_return std::make_unique<int>(9);
}

Task<void> marks(Log& log) {
  const Mark outer(log, "outer");
  {
    const Mark inner(log, "inner");
    co_await Yield();
  }
  co_await Yield();
}

Task<Result<void>> child(Log& log, std::string name, unsigned yields, CancelToken cancel, bool fails) {
  const Mark mark(log, name);
  for (unsigned i = 0; i < yields; ++i) {
    co_await Yield();
    if (cancel.cancelled()) co_return cancel.error();
  }
  if (fails) co_return Error(Kind::quota, name + " failed");
  co_return Result<void>();
}

Task<Result<void>> sleeper(Log& log, Reactor& reactor, CancelToken cancel) {
  const Mark mark(log, "sleeper");
  co_await reactor.sleep(Millis(1'000'000'000), cancel);
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

Task<Result<void>> family(Log& log, Reactor& reactor, bool one_fails) {
  const Mark mark(log, "parent");
  TaskGroup group(reactor.ready(), CancelToken());
  group.spawn(child(log, "quick", 0, group.token(), false));
  group.spawn(child(log, "first", 3, group.token(), one_fails));
  group.spawn(child(log, "second", 3, group.token(), one_fails));
  if (one_fails) {
    group.spawn(sleeper(log, reactor, group.token()));
    group.spawn(child(log, "endless", 1'000'000, group.token(), false));
  }
  Result<void> joined = co_await group.join();
  CHECK(joined.has_value() == !one_fails);
  log.push_back("joined");
  co_return joined;
}

Task<Result<void>> at_once() {
  co_return Result<void>();
}

Task<Result<void>> crowd(ReadyQueue& queue, unsigned count) {
  TaskGroup group(queue, CancelToken());
  for (unsigned i = 0; i < count; ++i) group.spawn(at_once());
  Result<void> joined = co_await group.join();
  co_return joined;
}

Task<Result<void>> childless(ReadyQueue& queue) {
  TaskGroup group(queue, CancelToken());
  Result<void> joined = co_await group.join();
  co_return joined;
}

}  // namespace

TEST_CASE("task: runs only when it is awaited, in the order of the text") {
  Log log;
  TestLoop loop;
  { const Task<int> never_started = leaf(log, 7); }
  CHECK(log.empty());
  CHECK(loop.run(branch(log)) == 3);
  CHECK(log == Log{"begin", "leaf 1", "leaf 2", "end"});
}

TEST_CASE("task: a million completions in a row do not overflow the stack") {
  TestLoop loop;
  CHECK(loop.run(sum(1'000'000)) == 1'000'000);
}

TEST_CASE("task: a hundred thousand frames below each other unwind without recursion") {
  TestLoop loop;
  CHECK(loop.run(deep(100'000)) == 100'000);
}

TEST_CASE("task: gives out what can only be moved") {
  TestLoop loop;
  CHECK(*loop.run(only_movable()) == 9);
}

TEST_CASE("task: locals die where their block ends") {
  Log log;
  TestLoop loop;
  loop.run(marks(log));
  CHECK(log == Log{"-inner", "-outer"});
}

TEST_CASE("task group: children end before their parent goes on") {
  Log log;
  TestLoop loop;
  CHECK(loop.run(family(log, loop.reactor, false)).has_value());
  CHECK(log == Log{"-quick", "-first", "-second", "joined", "-parent"});
}

TEST_CASE("task group: the first failure cancels the others and is what is told") {
  Log log;
  TestLoop loop;
  const Result<void> joined = loop.run(family(log, loop.reactor, true));
  REQUIRE_FALSE(joined.has_value());
  CHECK(joined.error().kind == Kind::quota);
  CHECK(joined.error().sentence == "first failed");
  REQUIRE(log.size() == 7);
  CHECK(log[0] == "-quick");
  CHECK(log[1] == "-first");
  CHECK(log[5] == "joined");
  CHECK(log[6] == "-parent");
}

TEST_CASE("task group: without children it is joined at once") {
  TestLoop loop;
  CHECK(loop.run(childless(loop.reactor.ready())).has_value());
}

TEST_CASE("task group: a hundred thousand children come and go") {
  TestLoop loop;
  CHECK(loop.run(crowd(loop.reactor.ready(), 100'000)).has_value());
}
