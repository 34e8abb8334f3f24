// SPDX-License-Identifier: MIT
#include "keys/renewal.h"

#include <doctest/doctest.h>

#include <deque>

#include "loop/task_group.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace std::chrono_literals;

namespace {

/// Gives what was laid in, in order; the last answer for ever. Takes a second for each.
class Queue final : public keys::Issuer {
 public:
  explicit Queue(Reactor& reactor) : reactor_(reactor) {}
  Task<Result<keys::Grant>> fetch(CancelToken cancel) override {
    ++asked;
    co_await reactor_.sleep(1s, cancel);
    if (cancel.cancelled()) co_return cancel.error();
    Result<keys::Grant> next = answers.front();
    if (answers.size() > 1) answers.pop_front();
    co_return next;
  }
  bool renews() const override { return renewing; }

  std::deque<Result<keys::Grant>> answers;
  unsigned asked = 0;
  bool renewing = true;

 private:
  Reactor& reactor_;
};

class Remarks final : public Observer {
 public:
  void planned(const PlanFacts&) override {}
  void file_done(const FileFacts&) override {}
  void file_failed(std::string_view, const Error&) override {}
  void retrying(const RetryFacts&) override {}
  void remark(std::string_view sentence) override { all.emplace_back(sentence); }
  bool tracing() const override { return false; }
  void trace(std::string_view) override {}
  std::vector<std::string> all;
};

struct Bench {
  testing::TestLoop loop;
  Queue issuer{loop.reactor};
  Remarks remarks;
  keys::Renewal renewal{issuer, loop.reactor, remarks};

  keys::Grant grant(const std::string& id, std::optional<std::chrono::seconds> life) {
    keys::Grant made;
    made.credentials = s3::Credentials{id, Secret("s"), Secret("t")};
    if (life) made.expires = loop.clock.wall() + *life;
    return made;
  }
  void gives(Result<keys::Grant> answer) { issuer.answers.push_back(std::move(answer)); }
  /// The id of the keys, or the error's sentence.
  std::string get() {
    const Result<s3::Credentials> got = loop.run(renewal.get(CancelToken()));
    return got ? got->access_key_id : got.error().sentence;
  }
};

Task<Result<void>> get_one(keys::Renewal& renewal, std::vector<std::string>& got, CancelToken cancel) {
  Result<s3::Credentials> keys = co_await renewal.get(cancel);
  got.push_back(keys ? keys->access_key_id : keys.error().sentence);
  co_return Result<void>();
}

Task<Result<void>> get_many(Reactor& reactor, keys::Renewal& renewal, std::vector<std::string>& got) {
  TaskGroup group(reactor.ready(), CancelToken());
  for (int i = 0; i < 5; ++i) group.spawn(get_one(renewal, got, group.token()));
  Result<void> done = co_await group.join();
  co_return done;
}

}  // namespace

TEST_CASE("renewal: keys without an end are asked for once") {
  Bench bench;
  bench.gives(bench.grant("A", std::nullopt));
  CHECK(bench.get() == "A");
  bench.loop.clock.advance(1000h);
  CHECK(bench.get() == "A");
  CHECK(bench.issuer.asked == 1);
}

TEST_CASE("renewal: a quarter of an hour before the end, or at half of a short life") {
  struct Row {
    std::chrono::seconds life;
    std::chrono::seconds still_old;
    std::chrono::seconds renewed;
  };
  for (const Row& row :
       {Row{1h, 44min, 46min}, Row{24h, 23h + 44min, 23h + 46min}, Row{20min, 9min, 11min}, Row{100s, 45s, 55s}}) {
    Bench bench;
    bench.gives(bench.grant("A", row.life));
    bench.gives(bench.grant("B", row.life * 3));
    CHECK(bench.get() == "A");
    bench.loop.clock.advance(row.still_old - 2s);
    CHECK(bench.get() == "A");
    bench.loop.clock.advance(row.renewed - row.still_old);
    CHECK(bench.get() == "B");
    CHECK(bench.issuer.asked == 2);
  }
}

TEST_CASE("renewal: one asking serves everybody who waits") {
  Bench bench;
  bench.gives(bench.grant("A", 1h));
  std::vector<std::string> got;
  CHECK(bench.loop.run(get_many(bench.loop.reactor, bench.renewal, got)));
  CHECK(got == std::vector<std::string>(5, "A"));
  CHECK(bench.issuer.asked == 1);
}

TEST_CASE("renewal: while it is early others go on with the old keys, later they wait") {
  for (const bool late : {false, true}) {
    Bench bench;
    bench.gives(bench.grant("A", 1h));
    bench.gives(bench.grant("B", 3h));
    CHECK(bench.get() == "A");
    bench.loop.clock.advance(late ? 51min : 46min);
    std::vector<std::string> got;
    CHECK(bench.loop.run(get_many(bench.loop.reactor, bench.renewal, got)));
    CHECK(got == (late ? std::vector<std::string>(5, "B") : std::vector<std::string>{"A", "A", "A", "A", "B"}));
    CHECK(bench.issuer.asked == 2);
  }
}

TEST_CASE("renewal: everybody who waited for a failed asking gets its error, and the first one is final") {
  Bench bench;
  bench.gives(Error(Kind::unavailable, "down"));
  std::vector<std::string> got;
  CHECK(bench.loop.run(get_many(bench.loop.reactor, bench.renewal, got)));
  CHECK(got == std::vector<std::string>(5, "down"));
  CHECK(bench.issuer.asked == 1);
  const Result<s3::Credentials> again = bench.loop.run(bench.renewal.get(CancelToken()));
  REQUIRE_FALSE(again);
  CHECK(again.error().given_up);
}

TEST_CASE("renewal: one that fails is put up with until the keys have ended") {
  Bench bench;
  bench.gives(bench.grant("A", 1h));
  bench.gives(Error(Kind::unavailable, "down"));
  CHECK(bench.get() == "A");
  bench.loop.clock.advance(52min);
  CHECK(bench.get() == "A");
  CHECK(bench.get() == "A");
  CHECK(bench.issuer.asked == 2);
  REQUIRE(bench.remarks.all.size() == 1);
  CHECK(bench.remarks.all.front().find("down") != std::string::npos);
  bench.loop.clock.advance(31s);
  CHECK(bench.get() == "A");
  CHECK(bench.issuer.asked == 3);
  bench.loop.clock.advance(8min);
  const Result<s3::Credentials> late = bench.loop.run(bench.renewal.get(CancelToken()));
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Kind::unavailable);
  CHECK_FALSE(late.error().given_up);
}

TEST_CASE("renewal: keys the store refuses are asked for again, those of somebody else's renewal are not") {
  Bench bench;
  bench.gives(bench.grant("A", 1h));
  bench.gives(bench.grant("B", 1h));
  CHECK(bench.get() == "A");
  const s3::Credentials old = bench.grant("A", 1h).credentials;
  CHECK(bench.renewal.refused(old));
  CHECK(bench.get() == "B");
  CHECK(bench.renewal.refused(old));
  CHECK(bench.get() == "B");
  CHECK(bench.issuer.asked == 2);
}

TEST_CASE(
    "renewal: keys that came for refused ones and are refused at once are the last, a minute later they may be old") {
  Bench bench;
  for (const char* const id : {"A", "B", "C"}) bench.gives(bench.grant(id, 1h));
  CHECK(bench.get() == "A");
  CHECK(bench.renewal.refused(bench.grant("A", 1h).credentials));
  CHECK(bench.get() == "B");
  CHECK_FALSE(bench.renewal.refused(bench.grant("B", 1h).credentials));
  CHECK(bench.get() == "B");
  bench.loop.clock.advance(61s);
  CHECK(bench.renewal.refused(bench.grant("B", 1h).credentials));
  CHECK(bench.get() == "C");
  CHECK(bench.issuer.asked == 3);
}

TEST_CASE("renewal: permanent keys that are refused stay refused") {
  Bench bench;
  bench.issuer.renewing = false;
  bench.gives(bench.grant("A", std::nullopt));
  CHECK_FALSE(bench.renewal.refused(s3::Credentials()));
  CHECK(bench.get() == "A");
  CHECK_FALSE(bench.renewal.refused(bench.grant("A", std::nullopt).credentials));
}

TEST_CASE("renewal: keys that are over by this machine's clock are used, and asked for again after a minute") {
  Bench bench;
  bench.gives(bench.grant("A", -1h));
  bench.gives(bench.grant("B", -1h));
  CHECK(bench.get() == "A");
  CHECK(bench.get() == "A");
  bench.loop.clock.advance(61s);
  CHECK(bench.get() == "B");
  CHECK(bench.issuer.asked == 2);
}
