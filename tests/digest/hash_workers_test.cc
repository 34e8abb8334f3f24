// SPDX-License-Identifier: MIT
#include "digest/hash_workers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "loop/task_group.h"
#include "support/data.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

template <class Any>
Task<Result<void>> feed_all(HashWorkers& workers, std::string_view data, std::size_t bite, Any& digest) {
  for (std::size_t at = 0; at < data.size(); at += bite) {
    const ByteView bytes = as_view(data.substr(at, bite));
    co_await workers.feed(bytes, digest);
  }
  co_return Result<void>();
}

/// The first half in pieces of 1, 2, 3 and so on, then the rest.
Task<Result<void>> feed_pieces(HashWorkers& workers, std::string_view data, Digest& digest) {
  std::vector<ByteView> pieces;
  std::size_t at = 0;
  for (std::size_t size = 1; at < data.size() / 2; at += size++) pieces.push_back(as_view(data.substr(at, size)));
  co_await workers.feed(std::move(pieces), digest);
  co_await workers.feed(as_view(data.substr(at)), digest);
  co_return Result<void>();
}

/// All side by side, each in bites of its own length.
Task<Result<void>> feed_many(HashWorkers& workers, ReadyQueue& queue, std::string_view data,
                             std::vector<Digest>& digests, std::vector<Md5>& md5s) {
  TaskGroup group(queue, CancelToken());
  for (std::size_t i = 0; i < digests.size(); ++i) group.spawn(feed_all(workers, data, 1 + i % 13, digests[i]));
  for (std::size_t i = 0; i < md5s.size(); ++i) group.spawn(feed_all(workers, data, 1 + 17 * i, md5s[i]));
  Result<void> joined = co_await group.join();
  co_return joined;
}

/// Two side by side, with bites of other lengths.
Task<Result<void>> feed_two(HashWorkers& workers, ReadyQueue& queue, std::string_view data, Digest& one, Digest& two) {
  TaskGroup group(queue, CancelToken());
  group.spawn(feed_all(workers, data, 1'000, one));
  group.spawn(feed_all(workers, data, 3'000, two));
  Result<void> joined = co_await group.join();
  co_return joined;
}

Task<std::thread::id> feed_nothing(HashWorkers& workers, Digest& digest, Md5& md5) {
  co_await workers.feed(ByteView(), digest);
  co_await workers.feed(ByteView(), md5);
  co_return std::this_thread::get_id();
}

}  // namespace

TEST_CASE("hash workers: one after another, bytes are fed in order") {
  TestLoop loop;
  for (const unsigned threads : {0U, 1U, 4U}) {  // 0: as where the system grants none
    HashWorkers workers(loop.reactor, threads);
    Digest sha(DigestKind::sha256);
    Md5 md5;
    const std::string data = pattern(4'000);
    CHECK(loop.run(feed_all(workers, data, 7, sha)).has_value());
    CHECK(loop.run(feed_all(workers, data, 7, md5)).has_value());
    CHECK(sha.finish() == digest_of(DigestKind::sha256, data));
    CHECK(std::ranges::equal(md5.finish(), md5_of(data)));
  }
}

TEST_CASE("hash workers: several pieces at once are fed in their order") {
  TestLoop loop;
  HashWorkers workers(loop.reactor, 2);
  const std::string data = pattern(4'000);
  Digest sha(DigestKind::sha256);
  CHECK(loop.run(feed_pieces(workers, data, sha)).has_value());
  CHECK(sha.finish() == digest_of(DigestKind::sha256, data));
}

TEST_CASE("hash workers: many digests side by side do not disturb each other, nor do they keep each other waiting") {
  TestLoop loop;
  for (const unsigned threads : {1U, 3U}) {
    HashWorkers workers(loop.reactor, threads);
    const std::string data = pattern(600);
    std::vector<Digest> digests;
    for (unsigned i = 0; i < 20; ++i) digests.emplace_back(DigestKind::sha256);
    std::vector<Md5> md5s(20);
    CHECK(loop.run(feed_many(workers, loop.reactor.ready(), data, digests, md5s)).has_value());
    for (Digest& digest : digests) CHECK(digest.finish() == digest_of(DigestKind::sha256, data));
    for (Md5& md5 : md5s) CHECK(std::ranges::equal(md5.finish(), md5_of(data)));
  }
}

TEST_CASE("hash workers: an MD5 whose company does not come soon goes on without it") {
  TestLoop loop;
  HashWorkers workers(loop.reactor, 2, {.md5 = Millis(50)});
  const HashWorkers::Md5Stream one(workers);
  const HashWorkers::Md5Stream other(workers);  // has nothing to feed: its ring is full, or its source is slow
  const std::string data = pattern(1'000);
  Md5 md5;
  const auto begun = std::chrono::steady_clock::now();
  CHECK(loop.run(feed_all(workers, data, 1, md5)).has_value());
  // A thousand waits would be 50 s.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
  CHECK(std::ranges::equal(md5.finish(), md5_of(data)));
}

TEST_CASE("hash workers: a SHA-256 alone does not wait long for one to pair with") {
  TestLoop loop;
  HashWorkers workers(loop.reactor, 2, {.pair = Millis(50)});
  const std::string data = pattern(1'000);
  Digest sha(DigestKind::sha256);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(loop.run(feed_all(workers, data, 1, sha)).has_value());
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));  // a thousand waits would be 50 s
  CHECK(sha.finish() == digest_of(DigestKind::sha256, data));
}

TEST_CASE("hash workers: of two SHA-256 that pair, what one has more waits for the other and no longer") {
  TestLoop loop;
  HashWorkers workers(loop.reactor, 2, {.pair = Millis(60'000)});
  const std::string data = pattern(300'000);
  Digest one(DigestKind::sha256);
  Digest two(DigestKind::sha256);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(loop.run(feed_two(workers, loop.reactor.ready(), data, one, two)).has_value());
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(30));
  CHECK(one.finish() == digest_of(DigestKind::sha256, data));
  CHECK(two.finish() == digest_of(DigestKind::sha256, data));
}

TEST_CASE("hash workers: nothing to feed is done at once") {
  TestLoop loop;
  HashWorkers workers(loop.reactor, 1);
  Digest digest(DigestKind::sha1);
  Md5 md5;
  CHECK(loop.run(feed_nothing(workers, digest, md5)) == std::this_thread::get_id());
  CHECK(digest.finish() == digest_of(DigestKind::sha1, ""));
  CHECK(std::ranges::equal(md5.finish(), md5_of("")));
}

TEST_CASE("hash workers: they end when they are destroyed, used or not") {
  TestLoop loop;
  for (unsigned i = 0; i < 20; ++i) {
    HashWorkers unused(loop.reactor, 3);
    HashWorkers used(loop.reactor, 2);
    Digest digest(DigestKind::sha256);
    CHECK(loop.run(feed_all(used, "abc", 1, digest)).has_value());
  }
}
