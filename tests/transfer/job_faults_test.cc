// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

using When = FaultySink::When;

const FileFacts* done_of(const PourBench& bench, std::string_view path) {
  for (const FileFacts& file : bench.observer.done) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("job: a part that fails before, midway or after its body is fetched again") {
  for (const When when : {When::before, When::midway, When::after}) {
    for (const unsigned number : {1U, 2U, 7U, 13U}) {
      for (const unsigned lanes : {1U, 3U}) {
        CAPTURE(static_cast<int>(when));
        CAPTURE(number);
        CAPTURE(lanes);
        PourBench bench(number * 3 + lanes);
        bench.add("large", pattern(16 * 12 + 3));
        bench.sink.part_faults = {FaultySink::PartFault{number, 2, when, Error(Kind::unavailable, "HTTP 503")}};
        const Result<void> poured = bench.pour(lanes, 48, 16);
        CHECK(poured.has_value());
        CHECK(bench.all_there());
        CHECK(bench.tidy());
        CHECK(bench.memory_sink.created == 1);
        CHECK(bench.observer.retries.size() == 2);
        CHECK(bench.progress.retries == 2);
        CHECK(bench.progress.received_bytes > bench.progress.total_bytes);
      }
    }
  }
}

TEST_CASE("job: a store that fails all parts for a while is outlasted") {
  PourBench bench;
  bench.add("large", pattern(16 * 8));
  bench.sink.part_faults = {FaultySink::PartFault{0, 4, When::midway, Error(Kind::throttled, "SlowDown")}};
  const Result<void> poured = bench.pour(2, 32, 16);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.observer.retries.size() == 4);
}

TEST_CASE("job: the pause a store asks for is kept") {
  PourBench bench;
  bench.add("large", pattern(16 * 4));
  Error slow(Kind::throttled, "SlowDown");
  slow.retry_after = Millis(7'000);
  bench.sink.part_faults = {FaultySink::PartFault{2, 1, When::before, slow}};
  const Result<void> poured = bench.pour(1, 32, 16);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.loop.clock.since_start() >= Millis(7'000));
}

TEST_CASE("job: a part that never gets through ends the job, and the others are kept for a later one") {
  for (const unsigned lanes : {1U, 4U}) {
    CAPTURE(lanes);
    PourBench bench;
    bench.add("large", pattern(16 * 20));
    bench.sink.part_faults = {FaultySink::PartFault{5, 1000, When::after, Error(Kind::unavailable, "HTTP 503")}};
    const Result<void> poured = bench.pour(lanes, 32, 16);
    REQUIRE_FALSE(poured.has_value());
    CHECK(poured.error().kind == Kind::unavailable);
    CHECK(bench.tidy());
    CHECK(bench.memory_sink.objects.empty());
    REQUIRE(bench.left.size() == 1);
    const std::vector<HashedPart>& kept = bench.left[0].upload.parts;
    REQUIRE(kept.size() >= 5);
    CHECK(kept[4].etag.empty());
    CHECK_FALSE(kept[3].etag.empty());
    CHECK(bench.observer.failed.size() == 1);
  }
}

TEST_CASE("job: a wrong ETag is a failed part") {
  PourBench bench;
  bench.add("large", pattern(16 * 6));
  bench.sink.wrong_etags = 3;
  const Result<void> poured = bench.pour(2, 32, 16);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.observer.retries.size() == 3);
  CHECK(bench.observer.retries[0].error.sentence.find("is not the MD5") != std::string::npos);
}

TEST_CASE("job: an upload that vanished is begun anew") {
  for (const unsigned lanes : {1U, 3U}) {
    CAPTURE(lanes);
    PourBench bench;
    bench.add("large", pattern(16 * 20));
    bool once = false;
    bench.sink.on_event = [&bench, &once](const char*) {
      if (bench.memory_sink.stored_parts < 6 || std::exchange(once, true)) return;
      bench.memory_sink.uploads.clear();
    };
    const Result<void> poured = bench.pour(lanes, 32, 16);
    CHECK(poured.has_value());
    CHECK(bench.all_there());
    CHECK(bench.tidy());
    CHECK(bench.memory_sink.created == 2);
    CHECK(bench.memory_source.distrusted.size() == 1);
  }
}

TEST_CASE("job: an upload that is gone when it is completed is begun anew, once") {
  PourBench bench;
  bench.add("large", pattern(16 * 5));
  bench.sink.complete_failures = 1;
  CHECK(bench.pour(2, 32, 16).has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());

  PourBench hopeless;
  hopeless.add("large", pattern(16 * 5));
  hopeless.sink.complete_failures = 2;
  const Result<void> poured = hopeless.pour(2, 32, 16);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::expired);
  CHECK(hopeless.tidy());
  CHECK(hopeless.memory_sink.objects.empty());
}

TEST_CASE("job: a file whose bytes are wrong once is poured again from a fresh address") {
  for (const unsigned lanes : {1U, 3U}) {
    for (const Bytes size : {Bytes(20), Bytes(16 * 9 + 1)}) {  // by one request, and by parts
      CAPTURE(lanes);
      CAPTURE(size);
      PourBench bench;
      bench.add("wrong", pattern(size));
      bench.add("right", pattern(70, 3));
      bench.source.flip = FaultySource::Flip{"wrong", size - 1, 1, 1};
      const Result<void> poured = bench.pour(lanes, 32, 32);
      CHECK(poured.has_value());
      CHECK(bench.all_there());
      CHECK(bench.tidy());
      CHECK(bench.memory_source.distrusted == std::vector<std::string>{"wrong"});
      CHECK(bench.progress.retries == 1);
      REQUIRE(bench.observer.retries.size() == 1);
      CHECK(bench.observer.retries[0].error.kind == Kind::integrity);
    }
  }
}

TEST_CASE("job: a file whose bytes stay wrong never appears, the others do") {
  for (const Bytes size : {Bytes(20), Bytes(16 * 9 + 1)}) {
    CAPTURE(size);
    PourBench bench;
    const std::string promised = to_hex(bench.add("wrong", pattern(size)).hash);
    for (unsigned i = 0; i < 6; ++i) bench.add("right" + std::to_string(i), pattern(100 + i, i));
    bench.source.flip = FaultySource::Flip{"wrong", size / 2};
    std::string flipped = pattern(size);
    flipped[size / 2] = static_cast<char>(flipped[size / 2] ^ 0x10);
    const Result<void> poured = bench.pour(3, 32, 16);
    REQUIRE_FALSE(poured.has_value());
    CHECK(poured.error().kind == Kind::integrity);
    CHECK(poured.error().sentence.find(promised) != std::string::npos);
    CHECK(poured.error().sentence.find(to_hex(hash_of(HashKind::sha256, flipped))) != std::string::npos);
    CHECK(bench.memory_sink.objects.size() == 6);
    CHECK_FALSE(bench.memory_sink.objects.contains("wrong"));
    CHECK(bench.records.files.size() == 6);
    CHECK(bench.progress.done_files == 6);
    CHECK(bench.progress.stored_bytes == bench.progress.total_bytes - size);
    CHECK(bench.tidy());
    CHECK(bench.observer.failed.size() == 1);
    CHECK(done_of(bench, "right5") != nullptr);
  }
}

TEST_CASE("job: bytes that differ when they are fetched again are noticed") {
  // Part 3 fails once, and its bytes are others the second time: first right, then wrong.
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    PourBench bench(seed);
    bench.add("large", pattern(16 * 6));
    bench.sink.part_faults = {FaultySink::PartFault{3, 1, When::after, Error(Kind::network, "broken pipe")}};
    bench.source.flip = FaultySource::Flip{"large", 40, 2, 2};
    const Result<void> poured = bench.pour(1, 64, 16);
    CHECK(poured.has_value());
    CHECK(bench.all_there());
    CHECK(bench.tidy());
    CHECK(bench.memory_sink.created == 2);
    REQUIRE(bench.observer.retries.size() == 2);
    CHECK(bench.observer.retries[1].error.kind == Kind::integrity);
    CHECK(bench.observer.retries[1].error.sentence.find("other bytes came the second time") != std::string::npos);
  }
}

TEST_CASE("job: a source that is broken for good ends the job and leaves no upload") {
  for (const unsigned lanes : {1U, 4U}) {
    PourBench bench;
    bench.add("large", pattern(16 * 20));
    bench.add("other", pattern(16 * 20, 5));
    bench.source.breaking = FaultySource::Break{"large", 100, Error(Kind::network, "connection reset")};
    const Result<void> poured = bench.pour(lanes, 32, 16);
    REQUIRE_FALSE(poured.has_value());
    CHECK(poured.error().kind == Kind::network);
    CHECK(bench.tidy());
    CHECK_FALSE(bench.memory_sink.objects.contains("large"));
  }
}

TEST_CASE("job: a file that is not there fails alone") {
  PourBench bench;
  bench.add("gone", pattern(100));
  bench.add("other", pattern(90, 5));
  bench.source.breaking = FaultySource::Break{"gone", 0, Error(Kind::not_found, "HTTP 404")};
  const Result<void> poured = bench.pour(2, 32, 16);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::not_found);
  CHECK(bench.memory_sink.objects.contains("other"));
  CHECK(bench.tidy());
}

TEST_CASE("job: integrity is graver than a missing file") {
  PourBench bench;
  bench.add("wrong", pattern(300));
  bench.add("gone", pattern(100));
  bench.source.flip = FaultySource::Flip{"wrong", 7};
  bench.source.breaking = FaultySource::Break{"gone", 0, Error(Kind::not_found, "HTTP 404")};
  const Result<void> poured = bench.pour(2, 32, 16);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::integrity);
  CHECK(bench.tidy());
}

TEST_CASE("job: refused credentials end the job at the first file") {
  PourBench bench;
  for (unsigned i = 0; i < 20; ++i) bench.add("f" + std::to_string(i), pattern(100, i));
  bench.sink.create_failures = 1000;
  bench.sink.create_error = Error(Kind::forbidden, "AccessDenied");
  const Result<void> poured = bench.pour(3, 32, 16);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::forbidden);
  CHECK(bench.tidy());
  CHECK(bench.memory_sink.objects.empty());
  CHECK(bench.memory_source.streams.empty());
}

TEST_CASE("job: a full store ends the job, and small files are no exception") {
  PourBench bench;
  for (unsigned i = 0; i < 20; ++i) bench.add("f" + std::to_string(i), pattern(10, i));
  bench.sink.put_object_failures = 1000;
  bench.sink.put_object_error = Error(Kind::quota, "QuotaExceeded");
  const Result<void> poured = bench.pour(3, 32, 16);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::quota);
  CHECK(bench.tidy());
  CHECK(bench.progress.stored_bytes == 0);
}

TEST_CASE("job: an upload that cannot be dropped is remarked with its id") {
  PourBench bench;
  bench.add("large", pattern(16 * 5));
  bench.source.flip = FaultySource::Flip{"large", 7, 1, 1};
  bench.sink.abort_failures = 1;
  const Result<void> poured = bench.pour(1, 32, 16);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  REQUIRE(bench.observer.remarks.size() == 1);
  CHECK(bench.observer.remarks[0].find("upload 1") != std::string::npos);
}

TEST_CASE("job: a file larger than the store can hold is refused before anything moves") {
  PourBench bench;
  bench.memory_sink.limits_.max_parts = 3;
  bench.add("small", pattern(10));
  bench.add("large", pattern(64 * 3 + 1));
  const Result<void> poured = bench.pour(2, 32, 16);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::quota);
  CHECK(bench.memory_sink.objects.empty());
}
