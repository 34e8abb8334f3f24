// SPDX-License-Identifier: MIT
#include "transfer/transfer.h"

#include <doctest/doctest.h>

#include "support/forwarding_sink.h"
#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

/// Pours one file through one lane, without a job around it.
Task<Result<StoredFile>> pour_one(Transfer& transfer, Lane& lane, Bytes size, CancelToken cancel) {
  const ByteRange all{0, size};
  Result<void> poured = co_await transfer.pour(all, lane, cancel);
  if (!poured) {
    co_await transfer.abandon();
    co_return poured.error();
  }
  Result<StoredFile> stored = co_await transfer.finish(cancel);
  if (!stored) co_await transfer.abandon();
  co_return stored;
}

/// Waits until the ring's hash reader has passed all, then spoils the memory the upload still
/// reads.
class SpoilingSink final : public ForwardingSink {
 public:
  SpoilingSink(Sink& inner, Reactor& reactor, Lane& lane, std::span<std::byte> storage)
      : ForwardingSink(inner), reactor_(reactor), lane_(lane), storage_(storage) {}
  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override {
    while (lane_.ring.position(Ring::Reader::hash) < file.size) co_await reactor_.sleep(Millis(1), cancel);
    storage_[5] ^= std::byte(1);
    Result<PartReceipt> receipt = co_await ForwardingSink::put_part(file, upload_id, number, bytes, cancel);
    co_return receipt;
  }

 private:
  Reactor& reactor_;
  Lane& lane_;
  std::span<std::byte> storage_;
};

/// Asks for as much as libcurl does, and notes how much it got each time.
class GreedySink final : public ForwardingSink {
 public:
  explicit GreedySink(Sink& inner) : ForwardingSink(inner) {}
  Task<Result<PartReceipt>> put_part(const FileEntry&, const std::string&, unsigned, Outlet& bytes,
                                     CancelToken cancel) override {
    Bell bell;
    bytes.set_waker(&bell);
    std::string body;
    std::string buffer(64 * KiB, '\0');
    while (body.size() < bytes.length()) {
      const Outlet::Give give = bytes.give(std::as_writable_bytes(std::span(buffer)));
      if (give.kind == Outlet::Kind::wait) {
        co_await bell.rung.wait(cancel);
        continue;
      }
      gives.push_back(give.count);
      body.append(buffer, 0, give.count);
    }
    bytes.set_waker(nullptr);
    co_return PartReceipt{1, to_hex(md5_of(body))};
  }
  std::vector<Bytes> gives;
};

/// Is refused before anything has passed, though some bytes are on their way, and sends the part once more.
class RestartingSink final : public ForwardingSink {
 public:
  explicit RestartingSink(Sink& inner) : ForwardingSink(inner) {}
  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override {
    Bell bell;
    bytes.set_waker(&bell);
    Outlet::Lent lent = bytes.lend(0, 10);
    while (lent.kind == Outlet::Kind::wait) {
      co_await bell.rung.wait(cancel);
      lent = bytes.lend(0, 10);
    }
    bytes.gave(lent.bytes);
    bytes.set_waker(nullptr);
    restarted = bytes.rewind();
    Result<PartReceipt> receipt = co_await ForwardingSink::put_part(file, upload_id, number, bytes, cancel);
    co_return receipt;
  }
  bool restarted = false;
};

}  // namespace

TEST_CASE("transfer: a part can be sent again as long as nothing of it has passed") {
  PourBench bench;
  const std::string content = pattern(32);
  const FileEntry& file = bench.add("large", content);
  const auto pool = RingPool::make(1, 64);
  REQUIRE(pool);
  RingLender rings(**pool);
  Lane lane(rings);
  lane.enter();
  RestartingSink sink(bench.sink);
  Services services{bench.loop.reactor, bench.hashers, bench.source, sink, bench.records,          bench.observer,
                    bench.progress,     bench.random,  bench.pace,   true, bench.services.patience};
  Transfer transfer(services, file, PartPlan{32, 32});
  const Result<StoredFile> stored = bench.loop.run(pour_one(transfer, lane, 32, CancelToken()));
  CHECK(sink.restarted);
  REQUIRE(stored.has_value());
  CHECK(bench.memory_sink.objects.at("large") == content);
}

TEST_CASE("transfer: memory that gives out other bytes than were put in is caught without any MD5") {
  PourBench bench;
  const FileEntry& file = bench.add("large", pattern(32));
  const auto pool = RingPool::make(1, 64);
  REQUIRE(pool);
  RingLender rings(**pool);
  Lane lane(rings);
  lane.enter();
  SpoilingSink sink(bench.sink, bench.loop.reactor, lane, (*pool)->storage(0));
  Services services{bench.loop.reactor, bench.hashers, bench.source, sink,  bench.records,          bench.observer,
                    bench.progress,     bench.random,  bench.pace,   false, bench.services.patience};
  Transfer transfer(services, file, PartPlan{32, 32});
  const Result<StoredFile> stored = bench.loop.run(pour_one(transfer, lane, 32, CancelToken()));
  REQUIRE_FALSE(stored.has_value());
  CHECK(stored.error().kind == Kind::internal);
  CHECK(stored.error().sentence.find("other bytes than were put in") != std::string::npos);
  CHECK(bench.tidy());
  CHECK(bench.memory_sink.objects.empty());
}

TEST_CASE("transfer: an upload that has caught up waits for a good bite, or for the rest of its part") {
  PourBench bench;
  bench.memory_source.longest_chunk = 1'000;
  const FileEntry& file = bench.add("large", pattern(200 * KiB));
  const auto pool = RingPool::make(1, 1 * MiB);
  REQUIRE(pool);
  RingLender rings(**pool);
  Lane lane(rings);
  lane.enter();
  GreedySink sink(bench.sink);
  Services services{bench.loop.reactor, bench.hashers, bench.source, sink, bench.records,          bench.observer,
                    bench.progress,     bench.random,  bench.pace,   true, bench.services.patience};
  Transfer transfer(services, file, PartPlan{file.size, file.size});
  CHECK(bench.loop.run(transfer.pour(ByteRange{0, file.size}, lane, CancelToken())).has_value());
  CHECK(sink.gives == std::vector<Bytes>{64 * KiB, 64 * KiB, 64 * KiB, 8 * KiB});
  bench.loop.run(transfer.abandon());
}

TEST_CASE("transfer: both readers have passed all bytes at the end") {
  PourBench bench;
  const std::string content = pattern(16 * 5 + 3);
  const FileEntry& file = bench.add("large", content);
  const auto pool = RingPool::make(1, 40, 8);
  REQUIRE(pool);
  RingLender rings(**pool);
  Lane lane(rings);
  lane.enter();
  Transfer transfer(bench.services, file, PartPlan{file.size, 16});
  const Result<StoredFile> stored = bench.loop.run(pour_one(transfer, lane, file.size, CancelToken()));
  REQUIRE(stored.has_value());
  CHECK(lane.ring.free() == lane.ring.capacity());
  CHECK(lane.ring.written() == file.size);
  CHECK(lane.waits_for() == Limit::store);  // nothing more comes from the source
  CHECK(stored->part_size == 16);
  REQUIRE(stored->xxh3.size() == 6);
  for (unsigned i = 0; i < 6; ++i) CHECK(stored->xxh3[i] == xxh3_of(content.substr(i * 16, 16)));
  CHECK(bench.memory_sink.objects.at("large") == content);
}

TEST_CASE("transfer: wrong bytes are uploaded and yet never completed") {
  PourBench bench;
  const FileEntry& file = bench.add("large", pattern(16 * 5));
  bench.source.flip = FaultySource::Flip{"large", 40};
  const auto pool = RingPool::make(1, 40, 8);
  REQUIRE(pool);
  RingLender rings(**pool);
  Lane lane(rings);
  lane.enter();
  Transfer transfer(bench.services, file, PartPlan{file.size, 16});
  const Result<StoredFile> stored = bench.loop.run(pour_one(transfer, lane, file.size, CancelToken()));
  REQUIRE_FALSE(stored.has_value());
  CHECK(stored.error().kind == Kind::integrity);
  CHECK(bench.memory_sink.stored_parts == 5);
  CHECK(bench.memory_sink.objects.empty());
  CHECK(bench.tidy());
  CHECK(bench.progress.stored_bytes == 0);
}

TEST_CASE("transfer: a file stored by one request is right before its first byte leaves") {
  PourBench bench;
  const FileEntry& file = bench.add("small", pattern(30));
  bench.source.flip = FaultySource::Flip{"small", 29};
  unsigned puts = 0;
  bench.sink.on_event = [&puts](const char*) { ++puts; };
  const auto pool = RingPool::make(1, 32, 8);
  REQUIRE(pool);
  RingLender rings(**pool);
  Lane lane(rings);
  lane.enter();
  Transfer transfer(bench.services, file, PartPlan{30, 32});
  const Result<StoredFile> stored = bench.loop.run(transfer.pour_whole(lane, CancelToken()));
  REQUIRE_FALSE(stored.has_value());
  CHECK(stored.error().kind == Kind::integrity);
  CHECK(puts == 0);
}

TEST_CASE("transfer: a part nobody acknowledged cannot be finished") {
  PourBench bench;
  const FileEntry& file = bench.add("empty hash of nothing", "");
  FileEntry longer = file;
  longer.size = 20;  // the hash is that of no bytes, and no byte was poured
  Transfer transfer(bench.services, longer, PartPlan{20, 16});
  const Result<StoredFile> stored = bench.loop.run(transfer.finish(CancelToken()));
  REQUIRE_FALSE(stored.has_value());
  CHECK(stored.error().kind == Kind::internal);
}

TEST_CASE("transfer: a check reads all and stores nothing") {
  for (const Bytes size : {Bytes(0), Bytes(9), Bytes(16 * 7 + 1)}) {
    CAPTURE(size);
    PourBench bench;
    const FileEntry& file = bench.add("there", pattern(size), HashKind::git_blob);
    const auto pool = RingPool::make(1, 24, 8);
    REQUIRE(pool);
    RingLender rings(**pool);
    Lane lane(rings);
    lane.enter();
    Transfer right(bench.services, file, PartPlan{size, 16});
    const Result<StoredFile> checked = bench.loop.run(right.check(lane, CancelToken()));
    REQUIRE(checked.has_value());
    CHECK(checked->part_size == (size > 16 ? 16 : 0));
    CHECK(checked->xxh3.back() == xxh3_of(pattern(size).substr(size / 16 * 16)));
    CHECK(bench.memory_sink.created == 0);
    CHECK(bench.memory_sink.objects.empty());
    if (size == 0) continue;
    bench.source.flip = FaultySource::Flip{"there", size - 1};
    Transfer wrong(bench.services, file, PartPlan{size, 16});
    const Result<StoredFile> found = bench.loop.run(wrong.check(lane, CancelToken()));
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().kind == Kind::integrity);
  }
}
