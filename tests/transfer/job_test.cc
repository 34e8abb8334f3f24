// SPDX-License-Identifier: MIT
#include "transfer/job.h"

#include <doctest/doctest.h>

#include <map>

#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

TEST_CASE("job: many files over few lanes all arrive") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    PourBench bench(seed);
    for (unsigned i = 0; i < 40; ++i) {
      const HashKind kind = i % 3 == 0 ? HashKind::git_blob : HashKind::sha256;
      bench.add("f" + std::to_string(i), pattern(i * 7, i), kind);
    }
    const Result<void> poured = bench.pour(3, 64, 32);
    CHECK(poured.has_value());
    CHECK(bench.all_there());
    CHECK(bench.tidy());
    CHECK(bench.memory_source.most_open <= 3);
    CHECK(bench.observer.failed.empty());
    CHECK(bench.progress.received_bytes == bench.progress.total_bytes);
  }
}

TEST_CASE("job: one large file is poured in stripes side by side, its hash in order") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    PourBench bench(seed);
    bench.add("large", pattern(16 * 61 + 5), seed % 2 == 0 ? HashKind::sha256 : HashKind::git_blob);
    const Bytes ring = seed % 3 == 0 ? 16 : 50;  // one part, or three
    const Result<void> poured = bench.pour(4, ring, 16);
    CHECK(poured.has_value());
    CHECK(bench.all_there());
    CHECK(bench.tidy());
    CHECK(bench.memory_source.most_open > 1);
    CHECK(bench.memory_sink.created == 1);
    REQUIRE(bench.records.files.size() == 1);
    const StoredFile& facts = bench.records.files[0].facts;
    CHECK(facts.part_size == 16);
    REQUIRE(facts.xxh3.size() == 62);
    CHECK(facts.xxh3[1] == xxh3_of(pattern(16 * 61 + 5).substr(16, 16)));
    CHECK(bench.observer.done[0].parts == 62);
  }
}

TEST_CASE("job: a part longer than the ring passes through it") {
  PourBench bench;
  bench.add("a", pattern(500));
  bench.add("b", pattern(300, 9));
  const Result<void> poured = bench.pour(2, 16, 64);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.memory_source.streams.size() == 2);
}

TEST_CASE("job: files that leave no lane idle are not cut, the rest of them is") {
  PourBench bench;
  for (unsigned i = 0; i < 3; ++i) bench.add("f" + std::to_string(i), pattern(640, i));
  const Result<void> poured = bench.pour(2, 64, 32);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.memory_source.streams.size() == 2 + 10);
}

TEST_CASE("job: no stripe is so long that there are too few for the lanes") {
  for (const unsigned parts : {6U, 12U, 14U, 24U}) {
    CAPTURE(parts);
    PourBench bench;
    bench.add("large", pattern(16 * parts));
    const Result<void> poured = bench.pour(6, 64, 16);
    CHECK(poured.has_value());
    CHECK(bench.all_there());
    const unsigned of_each = parts / 6;
    CHECK(bench.memory_source.streams.size() == (parts + of_each - 1) / of_each);
  }
}

TEST_CASE("job: stripes of several files are dealt to the file with the fewest lanes") {
  PourBench bench;
  for (unsigned i = 0; i < 3; ++i) bench.add("f" + std::to_string(i), pattern(640, i));
  const Result<void> poured = bench.pour(6, 64, 32);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  REQUIRE(bench.memory_source.streams.size() == 3 * 10);
  // Six lanes begin: two for each file, so that three cores can hash.
  std::map<std::string, unsigned> lanes;
  for (std::size_t i = 0; i < 6; ++i) ++lanes[bench.memory_source.streams[i].first];
  CHECK(lanes.size() == 3);
  for (const auto& [path, count] : lanes) CHECK(count == 2);
}

TEST_CASE("job: more stripes are asked for than there is memory for, and all arrive in order") {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    PourBench bench(seed);
    bench.rings = 1 + seed % 3;
    bench.memory_source.longest_chunk = seed % 2 == 0 ? 7 : 40;
    bench.add("large", pattern(16 * 40 + 5), seed % 2 == 0 ? HashKind::sha256 : HashKind::git_blob);
    if (seed % 5 < 2) bench.add("other", pattern(16 * 15, seed));
    bench.add("small", pattern(9, 4));
    const Result<void> poured = bench.pour(7, 32, 16);
    CHECK(poured.has_value());
    CHECK(bench.all_there());
    CHECK(bench.tidy());
    CHECK(bench.memory_source.most_open > bench.rings);
  }
}

TEST_CASE("job: empty files need neither source nor upload") {
  PourBench bench;
  bench.add("empty", "", HashKind::git_blob);
  bench.add("empty too", "");
  const Result<void> poured = bench.pour(4, 32, 16);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.memory_source.streams.empty());
  CHECK(bench.memory_sink.created == 0);
}

TEST_CASE("job: nothing to do is done at once") {
  PourBench bench;
  const Result<void> poured = bench.pour(2, 32, 16);
  CHECK(poured.has_value());
  CHECK(bench.tidy());
}

TEST_CASE("job: a sink that answers late does not stop the stream") {
  PourBench bench;
  bench.memory_sink.answer_delay = Millis(500);
  bench.add("large", pattern(16 * 9));
  const Result<void> poured = bench.pour(1, 128, 16);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(bench.memory_sink.most_under_way == uploads_per_lane);
}

TEST_CASE("job: no name is visible before its bytes have been proven") {
  PourBench bench;
  for (unsigned i = 0; i < 4; ++i) bench.add("f" + std::to_string(i), pattern(200 + 30 * i, i));
  unsigned events = 0;
  unsigned unproven = 0;
  bench.sink.on_event = [&bench, &events, &unproven](const char*) {
    ++events;
    // Whatever is visible is recorded or about to be, and whole.
    unproven += static_cast<unsigned>(bench.memory_sink.wrong.size());
    for (const auto& [path, content] : bench.memory_sink.objects) {
      const auto entry = std::ranges::find_if(bench.entries, [&p = path](const auto& e) { return e->path == p; });
      if (!(hash_of(HashKind::sha256, content) == (*entry)->hash)) ++unproven;
    }
  };
  bench.source.flip = FaultySource::Flip{"f2", 100, 1, 1};
  const Result<void> poured = bench.pour(3, 64, 32);
  CHECK(poured.has_value());
  CHECK(bench.all_there());
  CHECK(bench.tidy());
  CHECK(events > 40);
  CHECK(unproven == 0);
}

TEST_CASE("job: busy lanes are sampled by what they wait for") {
  PourBench bench;
  bench.add("large", pattern(400));
  std::vector<const FileEntry*> files{bench.entries[0].get()};
  MemoryPlan plan;
  plan.lanes = 1;
  plan.ring_bytes = 64;
  const auto pool = RingPool::make(1, 64);
  REQUIRE(pool);
  Job job(bench.services, files, plan, 32, **pool);
  bench.sink.on_event = [&job](const char*) { job.sample(0); };
  const Result<void> poured = bench.loop.run(job.run(CancelToken()));
  CHECK(poured.has_value());
  std::uint64_t samples = 0;
  for (const std::uint64_t count : bench.progress.samples) samples += count;
  CHECK(samples > 10);
  const auto memory = static_cast<std::size_t>(Limit::memory);
  CHECK(bench.progress.samples[memory] == 0);
}
