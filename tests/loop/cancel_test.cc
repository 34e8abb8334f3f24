// SPDX-License-Identifier: MIT
#include "loop/cancel.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "loop/condition.h"
#include "loop/task_group.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

Task<Result<void>> wait_until(Condition& changed, const int& value, int wanted, int& woken, CancelToken cancel) {
  while (value != wanted) {
    if (cancel.cancelled()) co_return cancel.error();
    co_await changed.wait(cancel);
    ++woken;
  }
  co_return Result<void>();
}

Task<Result<void>> change(Condition& changed, int& value, int steps) {
  for (int i = 0; i < steps; ++i) {
    ++value;
    changed.notify();
    changed.notify();  // nobody waits at the second one
    co_await Yield();
    co_await Yield();
  }
  co_return Result<void>();
}

Task<Result<void>> cancel_and_notify(Condition& changed, CancelSource& stop, bool cancel_first) {
  co_await Yield();
  if (cancel_first) stop.cancel(Error(Kind::cancelled, "stop"));
  changed.notify();
  if (!cancel_first) stop.cancel(Error(Kind::cancelled, "stop"));
  co_return Result<void>();
}

Task<Result<void>> waiters(ReadyQueue& queue, Condition& changed, int& value, int& woken, int count, int steps) {
  TaskGroup group(queue, CancelToken());
  for (int i = 0; i < count; ++i) group.spawn(wait_until(changed, value, steps, woken, group.token()));
  group.spawn(change(changed, value, steps));
  Result<void> joined = co_await group.join();
  co_return joined;
}

Task<Result<void>> wait_and_stop(ReadyQueue& queue, Condition& changed, int& woken, bool cancel_first) {
  CancelSource stop;
  TaskGroup group(queue, CancelToken());
  const int value = 0;
  group.spawn(wait_until(changed, value, 1, woken, stop.token()));
  group.spawn(cancel_and_notify(changed, stop, cancel_first));
  Result<void> joined = co_await group.join();
  co_return joined;
}

}  // namespace

TEST_CASE("cancel: an empty token is never cancelled") {
  const CancelToken token;
  CHECK_FALSE(token.cancelled());
  CHECK(token.error().kind == Kind::cancelled);
  const CancelRegistration unused(token, [] { FAIL("called"); });
}

TEST_CASE("cancel: everybody is told once, with the first reason") {
  CancelSource source;
  int calls = 0;
  const CancelRegistration one(source.token(), [&calls] { ++calls; });
  const CancelRegistration two(source.token(), [&calls] { ++calls; });
  source.cancel(Error(Kind::timeout, "first"));
  source.cancel(Error(Kind::quota, "second"));
  CHECK(calls == 2);
  CHECK(source.token().error().sentence == "first");
  CHECK(source.token().error().kind == Kind::timeout);
  const CancelRegistration late(source.token(), [&calls] { ++calls; });
  CHECK(calls == 2);
}

TEST_CASE("cancel: who has gone is not told") {
  CancelSource source;
  int calls = 0;
  {
    const CancelRegistration gone(source.token(), [&calls] { ++calls; });
  }
  CancelRegistration reset(source.token(), [&calls] { ++calls; });
  reset.reset();
  reset.reset();
  source.cancel();
  CHECK(calls == 0);
}

TEST_CASE("cancel: a registration that was moved is told at its new place") {
  CancelSource source;
  int calls = 0;
  CancelRegistration kept;
  {
    CancelRegistration first(source.token(), [&calls] { ++calls; });
    kept = std::move(first);
  }
  source.cancel();
  CHECK(calls == 1);
}

TEST_CASE("cancel: one who is told may take others off the list") {
  CancelSource source;
  int calls = 0;
  auto second = std::make_unique<CancelRegistration>();
  const CancelRegistration first(source.token(), [&] {
    ++calls;
    second.reset();
  });
  *second = CancelRegistration(source.token(), [&calls] { calls += 100; });
  source.cancel();
  CHECK(calls == 1);
}

TEST_CASE("cancel: children follow their parent, with its reason, and not the other way round") {
  CancelSource parent;
  CancelSource child(parent.token());
  CancelSource grandchild(child.token());
  CancelSource sibling(parent.token());
  sibling.cancel();
  CHECK_FALSE(parent.cancelled());
  CHECK_FALSE(child.cancelled());
  parent.cancel(Error(Kind::timeout, "deadline"));
  CHECK(grandchild.cancelled());
  CHECK(grandchild.token().error().sentence == "deadline");
  CancelSource born_late(parent.token());
  CHECK(born_late.cancelled());
  CHECK(born_late.token().error().sentence == "deadline");
  CancelSource orphan{CancelToken()};
  CHECK_FALSE(orphan.cancelled());
}

TEST_CASE("cancel: a child that has gone is not followed") {
  CancelSource parent;
  { CancelSource child(parent.token()); }
  parent.cancel();
  CHECK(parent.cancelled());
}

TEST_CASE("condition: no change is missed, however many wait") {
  TestLoop loop;
  Condition changed;
  int value = 0;
  int woken = 0;
  CHECK(loop.run(waiters(loop.reactor.ready(), changed, value, woken, 10, 50)).has_value());
  CHECK(woken <= 10 * 50);
  CHECK(woken >= 10);
}

TEST_CASE("condition: notified and cancelled at the same time, a waiter goes on once") {
  for (const bool cancel_first : {true, false}) {
    CAPTURE(cancel_first);
    TestLoop loop;
    Condition changed;
    int woken = 0;
    const Result<void> joined = loop.run(wait_and_stop(loop.reactor.ready(), changed, woken, cancel_first));
    REQUIRE_FALSE(joined.has_value());
    CHECK(joined.error().sentence == "stop");
    CHECK(woken == 1);
    changed.notify();  // nobody is left to be woken
  }
}
