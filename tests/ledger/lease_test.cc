// SPDX-License-Identifier: MIT
#include "ledger/lease.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "loop/task_group.h"
#include "support/memory_store.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

using namespace std::chrono_literals;
const std::string first = ".hfpour/lease/00000001";
const std::string second = ".hfpour/lease/00000002";

/// Two runs into one place.
struct LeaseBench {
  TestLoop loop;
  MemoryStore store;
  Random random{7};
  Lease ours{loop.reactor, store, random, "ours/1"};
  Lease theirs{loop.reactor, store, random, "theirs/2"};

  bool is_free(Lease& lease) { return *loop.run(lease.is_free(CancelToken())); }
  Lease::Claim claim(Lease& lease) { return *loop.run(lease.claim(CancelToken())); }
  void take(Lease& lease) {
    REQUIRE(is_free(lease));
    REQUIRE(claim(lease) == Lease::Claim::ours);
  }
  void wait(Millis time) { loop.run(sleep(loop.reactor, time)); }

  static Task<int> sleep(Reactor& reactor, Millis time) {
    co_await reactor.sleep(time, CancelToken());
    co_return 0;
  }
  /// Renews `lease` for a while.
  Result<void> keep(Lease& lease, Millis time) { return loop.run(keep_for(loop.reactor, lease, time)); }
  static Task<Result<void>> keep_for(Reactor& reactor, Lease& lease, Millis time) {
    CancelSource stop;
    TaskGroup group(reactor.ready(), CancelToken());
    group.spawn(lease.keep(stop.token()));
    co_await reactor.sleep(time, CancelToken());
    stop.cancel();
    Result<void> joined = co_await group.join();
    co_return joined;
  }
};

}  // namespace

TEST_CASE("lease: one run has the place, and says when it has not any more") {
  LeaseBench bench;
  bench.take(bench.ours);
  CHECK(bench.ours.held());
  CHECK_FALSE(bench.is_free(bench.theirs));
  CHECK(bench.theirs.holder() == "ours/1");
  REQUIRE(bench.loop.run(bench.ours.release(CancelToken())));
  CHECK_FALSE(bench.ours.held());
  CHECK(bench.is_free(bench.theirs));
  CHECK(bench.claim(bench.theirs) == Lease::Claim::ours);
  CHECK(bench.store.objects.contains(second));
}

TEST_CASE("lease: of two that see a free place one gets it") {
  LeaseBench bench;
  REQUIRE(bench.is_free(bench.ours));
  REQUIRE(bench.is_free(bench.theirs));
  CHECK(bench.claim(bench.theirs) == Lease::Claim::ours);
  CHECK(bench.claim(bench.ours) == Lease::Claim::lost);
  CHECK_FALSE(bench.ours.held());
  CHECK_FALSE(bench.is_free(bench.ours));
}

TEST_CASE("lease: a number that has become an old one is none") {
  LeaseBench bench;
  bench.store.objects[first] = write_lease(LeaseText{"old/1", "old", true}, 0);
  REQUIRE(bench.is_free(bench.ours));
  // The second came and went, and the third has dropped its object.
  bench.store.objects[".hfpour/lease/00000003"] = write_lease(LeaseText{"theirs/2", "other", false}, 0);
  CHECK(bench.claim(bench.ours) == Lease::Claim::lost);
  CHECK_FALSE(bench.ours.held());
  CHECK_FALSE(bench.is_free(bench.ours));
}

TEST_CASE("lease: the answer to our own claim may be lost") {
  LeaseBench bench;
  bench.store.lose_an_answer = true;
  bench.take(bench.ours);
  CHECK(bench.ours.held());
}

TEST_CASE("lease: a holder that is not heard of for a minute has lost it, one that is heard of has not") {
  LeaseBench bench;
  bench.take(bench.ours);
  REQUIRE_FALSE(bench.is_free(bench.theirs));
  bench.wait(59s);
  REQUIRE_FALSE(bench.is_free(bench.theirs));
  REQUIRE(bench.keep(bench.ours, 50s));
  CHECK_FALSE(bench.is_free(bench.theirs));
  bench.wait(61s);
  CHECK(bench.is_free(bench.theirs));
  CHECK(bench.claim(bench.theirs) == Lease::Claim::ours);

  const Result<void> kept = bench.keep(bench.ours, 50s);
  REQUIRE_FALSE(kept);
  CHECK(kept.error().kind == Kind::busy);
  CHECK(bench.ours.lost());
  // What it has lost is not touched any more.
  const std::string there = bench.store.objects.at(second);
  REQUIRE(bench.loop.run(bench.ours.release(CancelToken())));
  CHECK(bench.store.objects.at(second) == there);
  CHECK(bench.loop.run(bench.theirs.confirm(CancelToken())));
}

TEST_CASE("lease: asked before the last step, the store tells who took over") {
  LeaseBench bench;
  bench.take(bench.ours);
  CHECK(bench.loop.run(bench.ours.confirm(CancelToken())));
  bench.store.objects[second] = write_lease(LeaseText{"theirs/2", "other", false}, 0);
  const Result<void> confirmed = bench.loop.run(bench.ours.confirm(CancelToken()));
  REQUIRE_FALSE(confirmed);
  CHECK(confirmed.error().kind == Kind::busy);
  CHECK(bench.ours.lost());
}

TEST_CASE("lease: one that cannot be renewed for a minute is given up, a shorter trouble is borne") {
  LeaseBench bench;
  bench.take(bench.ours);
  bench.store.failing = Error(Kind::unavailable, "in trouble");
  CHECK(bench.keep(bench.ours, 45s));
  CHECK(bench.ours.held());
  bench.store.failing.reset();
  CHECK(bench.keep(bench.ours, 45s));
  bench.store.failing = Error(Kind::unavailable, "in trouble");
  const Result<void> kept = bench.keep(bench.ours, 100s);
  REQUIRE_FALSE(kept);
  CHECK(kept.error().kind == Kind::busy);
}

TEST_CASE("lease: a store that does not know the condition, or does not mind it, is found out") {
  for (const auto creating : {MemoryStore::Creating::refused, MemoryStore::Creating::ignores}) {
    LeaseBench bench;
    bench.store.creating = creating;
    REQUIRE(bench.is_free(bench.ours));
    CHECK(bench.claim(bench.ours) == Lease::Claim::unsupported);
    CHECK_FALSE(bench.ours.held());
    CHECK(bench.store.objects.empty());
  }
}

TEST_CASE("lease: what is no lease counts until nobody has touched it for a minute") {
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string(10'000, '1'), std::string("{\"released\": 1}")}) {
    LeaseBench bench;
    bench.store.objects[first] = text;
    CHECK_FALSE(bench.is_free(bench.ours));
    bench.wait(61s);
    CHECK(bench.is_free(bench.ours));
  }
  LeaseBench bench;
  bench.store.objects[".hfpour/lease/readme"] = "no lease at all";
  bench.store.objects[".hfpour/lease/0000000x"] = "no lease at all";
  CHECK(bench.is_free(bench.ours));
}

TEST_CASE("lease: the highest number counts, and older ones are dropped") {
  LeaseBench bench;
  for (int i = 1; i <= 40; ++i)
    bench.store.objects[fmt::format(".hfpour/lease/{:08}", i)] = write_lease(LeaseText{"old/1", "old", i == 40}, 0);
  bench.take(bench.ours);
  REQUIRE(bench.keep(bench.ours, 10s));
  CHECK(bench.store.objects.size() == 1);
  CHECK(bench.store.objects.contains(".hfpour/lease/00000041"));
}

TEST_CASE("lease: a name that would break the line is shown without doing so") {
  const std::optional<LeaseText> lease = read_lease(write_lease(LeaseText{"a\n\x1b[2Jb", "n", true}, 3));
  REQUIRE(lease);
  CHECK(lease->owner.find('\n') == std::string::npos);
  CHECK(lease->owner.find('\x1b') == std::string::npos);
  CHECK(lease->nonce == "n");
  CHECK(lease->released);
}
