// SPDX-License-Identifier: MIT
#include "transfer/resumption.h"

#include <doctest/doctest.h>

#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

constexpr Bytes part = 16;

/// All files are in the bucket, no other bytes ever were, and no upload is open.
void check_whole(const PourBench& bench) {
  for (std::size_t i = 0; i < bench.entries.size(); ++i) {
    const auto object = bench.memory_sink.objects.find(bench.entries[i]->path);
    REQUIRE(object != bench.memory_sink.objects.end());
    CHECK(object->second == bench.contents[i]);
  }
  CHECK(bench.memory_sink.uploads.empty());
  CHECK(bench.left.empty());
  CHECK(bench.tidy());
}

/// Stops the job when so many parts were answered.
void stop_after(PourBench& bench, CancelSource& stop, unsigned answers) {
  bench.sink.on_event = [&stop, answers](const char* name) mutable {
    if (std::string_view(name) == "put_part answered" && --answers == 0)
      stop.cancel(Error(Kind::cancelled, "interrupted"));
  };
}

/// One large file, poured until the job is stopped: what is left is in `bench.left`.
void pour_half(PourBench& bench, unsigned answers = 10) {
  bench.add("large", pattern(part * 20 + 3));
  CancelSource stop;
  stop_after(bench, stop, answers);
  const Result<void> poured = bench.pour(1, 32, part, stop.token());
  REQUIRE_FALSE(poured.has_value());
  REQUIRE(bench.left.size() == 1);
  REQUIRE(bench.left[0].upload.parts.size() >= answers / 2);
  bench.sink.on_event = [](const char*) {};
}

}  // namespace

TEST_CASE("resumption: stopped at any answer, a job is gone on with, and little is fetched twice") {
  for (const unsigned lanes : {1U, 2U, 3U}) {
    for (unsigned answers = 1; answers <= 20; ++answers) {
      CAPTURE(lanes);
      CAPTURE(answers);
      PourBench bench(answers);
      const HashKind kind = answers % 2 == 0 ? HashKind::sha256 : HashKind::git_blob;
      bench.add("large", pattern(part * 20 + 3), kind);
      CancelSource stop;
      stop_after(bench, stop, answers);
      const Result<void> first = bench.pour(lanes, 32, part, stop.token());
      REQUIRE_FALSE(first.has_value());
      const Bytes before = bench.progress.received_bytes;
      const Bytes known = bench.left.empty() ? 0 : bench.left[0].upload.hashed();
      bench.sink.on_event = [](const char*) {};
      const Result<void> second = bench.pour(lanes, 32, part);
      CHECK(second.has_value());
      check_whole(bench);
      // Only what lay beyond the notes, and parts before that were not acknowledged: at most those of the rings.
      CHECK(bench.progress.received_bytes - before <= bench.entries[0]->size - known + lanes * 3 * part);
      CHECK(bench.memory_sink.created == (known > 0 ? 1 : 2));
    }
  }
}

TEST_CASE("resumption: stopped again and again, with files of every size") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    PourBench bench(seed);
    Random random(seed);
    const auto draw = [&random](unsigned most) { return static_cast<unsigned>(random.fraction() * (most + 1)); };
    for (unsigned i = 0; i < 1 + draw(4); ++i) bench.add("f" + std::to_string(i), pattern(draw(500), i));
    Result<void> poured = Error(Kind::internal, "not poured");
    for (unsigned round = 0; round < 200 && !poured; ++round) {
      CancelSource stop;
      stop_after(bench, stop, 1 + draw(6) + round);
      const unsigned lanes = 1 + draw(5);
      bench.rings = 1 + draw(lanes - 1);
      poured = bench.pour(lanes, 16 + draw(60), part, stop.token());
      CHECK(bench.tidy());
    }
    CHECK(poured.has_value());
    check_whole(bench);
  }
}

TEST_CASE("resumption: a part that the store has lost, or has otherwise, is fetched again") {
  for (const bool lost : {true, false}) {
    PourBench bench;
    pour_half(bench);
    auto& parts = bench.memory_sink.uploads.begin()->second.parts;
    if (lost) {
      parts.erase(2);
    } else {
      parts[2][3] ^= 1;
    }
    const Bytes before = bench.progress.received_bytes;
    const Bytes known = bench.left[0].upload.hashed();
    CHECK(bench.pour(1, 32, part).has_value());
    check_whole(bench);
    CHECK(bench.memory_sink.created == 1);
    CHECK(bench.progress.received_bytes - before >= bench.entries[0]->size - known + part);
  }
}

TEST_CASE("resumption: an upload that is gone is begun anew") {
  PourBench bench;
  pour_half(bench);
  bench.memory_sink.uploads.clear();
  CHECK(bench.pour(1, 32, part).has_value());
  check_whole(bench);
  CHECK(bench.memory_sink.created == 2);
}

TEST_CASE("resumption: parts that may not be listed are not believed, and their upload is dropped") {
  PourBench bench;
  pour_half(bench);
  bench.sink.parts_failures = 1;
  CHECK(bench.pour(1, 32, part).has_value());
  check_whole(bench);
  CHECK(bench.memory_sink.created == 2);
  CHECK(bench.observer.remarks.size() == 1);
}

TEST_CASE("resumption: a store that cannot be asked ends the job, and all is kept") {
  PourBench bench;
  pour_half(bench);
  const std::vector<UnfinishedFile> left = bench.left;
  bench.sink.parts_failures = 1;
  bench.sink.parts_error = Error(Kind::network, "no connection");
  const Result<void> poured = bench.pour(1, 32, part);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::network);
  CHECK(bench.memory_sink.uploads.size() == 1);
  bench.left = left;
  CHECK(bench.pour(1, 32, part).has_value());
  check_whole(bench);
}

TEST_CASE("resumption: notes that make no sense are refused, and nothing stays behind") {
  struct Case {
    const char* what;
    void (*spoil)(UnfinishedFile&);
  };
  const Case cases[] = {
      {"another hash", [](UnfinishedFile& one) { one.file.hash.bytes[0] ^= std::byte{1}; }},
      {"another size", [](UnfinishedFile& one) { ++one.file.size; }},
      {"another part size", [](UnfinishedFile& one) { one.upload.part_size = 2 * part; }},
      {"no part size", [](UnfinishedFile& one) { one.upload.part_size = 0; }},
      {"more parts than there are", [](UnfinishedFile& one) { one.upload.parts.resize(21); }},
      {"a hash of other bytes", [](UnfinishedFile& one) { one.upload.parts.pop_back(); }},
      {"a hash cut short", [](UnfinishedFile& one) { one.upload.hash.pop_back(); }},
      {"no hash", [](UnfinishedFile& one) { one.upload.hash.clear(); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    PourBench bench;
    pour_half(bench);
    c.spoil(bench.left[0]);
    CHECK(bench.pour(1, 32, part).has_value());
    check_whole(bench);
    CHECK(bench.memory_sink.created == 2);
    CHECK(bench.observer.remarks.size() == 1);
  }
}

TEST_CASE("resumption: notes that lie are found out by the file's hash, and the file is begun anew") {
  for (const bool hash_lies : {true, false}) {
    PourBench bench;
    pour_half(bench);
    Unfinished& upload = bench.left[0].upload;
    if (hash_lies) {
      upload.hash[3] ^= std::byte{1};
    } else {
      upload.parts[1].etag.clear();  // to be fetched again, and it will not be what the notes say
      upload.parts[1].xxh3[0] ^= std::byte{1};
    }
    CHECK(bench.pour(1, 32, part).has_value());
    check_whole(bench);
    CHECK(bench.memory_sink.created == 2);
    CHECK(bench.observer.retries.size() == 1);
  }
}

TEST_CASE("resumption: notes of a file that is not poured are left alone") {
  PourBench bench;
  pour_half(bench);
  const std::vector<UnfinishedFile> left = bench.left;
  Resumption resumption(bench.services, {}, left, part);
  const Result<Leftovers> known = bench.loop.run(resumption.run(CancelToken()));
  REQUIRE(known.has_value());
  CHECK(known->empty());
  CHECK(bench.memory_sink.uploads.size() == 1);
}

TEST_CASE("resumption: a full store gets its room back, also from the files that were going well") {
  PourBench bench;
  bench.add("one", pattern(part * 20));
  bench.add("two", pattern(part * 20, 7));
  bench.sink.part_faults = {FaultySink::PartFault{15, 1, FaultySink::When::after, Error(Kind::quota, "QuotaExceeded")}};
  const Result<void> poured = bench.pour(2, 32, part);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::quota);
  CHECK(bench.memory_sink.uploads.empty());
  CHECK(bench.left.empty());
}
