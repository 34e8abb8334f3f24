// SPDX-License-Identifier: MIT
#include "transfer/adoption.h"

#include <doctest/doctest.h>

#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

Result<std::vector<const FileEntry*>> adopt(PourBench& bench, unsigned lanes, CancelToken cancel = CancelToken()) {
  const Result<std::unique_ptr<RingPool>> pool = RingPool::make(lanes, 40);
  REQUIRE(pool);
  std::vector<Candidate> candidates;
  for (const auto& entry : bench.entries) candidates.push_back(Candidate{entry.get(), "listed " + entry->path});
  Adoption adoption(bench.services, std::move(candidates), 16, **pool);
  return bench.loop.run(adoption.run(cancel));
}

}  // namespace

TEST_CASE(
    "adoption: objects whose bytes are right are recorded with their listed ETag, others are "
    "left") {
  PourBench bench;
  for (unsigned i = 0; i < 12; ++i) {
    bench.add("f" + std::to_string(i), pattern(5 + 20 * i, i), i % 2 == 0 ? HashKind::sha256 : HashKind::git_blob);
  }
  bench.source.flip = FaultySource::Flip{"f3", 60};
  bench.source.breaking = FaultySource::Break{"f7", 100, Error(Kind::not_found, "HTTP 404")};
  const auto adopted = adopt(bench, 3);
  REQUIRE(adopted);
  CHECK(adopted->size() == 10);
  CHECK(bench.records.files.size() == 10);
  for (const NotedFile& noted : bench.records.files) {
    CHECK(noted.file.path != "f3");
    CHECK(noted.file.path != "f7");
    CHECK(noted.facts.etag == "listed " + noted.file.path);
  }
  CHECK(bench.memory_sink.created == 0);
  CHECK(bench.memory_source.open() == 0);
  CHECK(bench.progress.adopted_files == 10);
  CHECK(bench.progress.adopted_bytes == bench.progress.stored_bytes);
  CHECK(bench.observer.done.size() == 10);
}

TEST_CASE("adoption: cancelled, it says so and adopts nothing half-read") {
  for (unsigned steps = 1; steps < 12; ++steps) {
    CAPTURE(steps);
    PourBench bench(steps);
    for (unsigned i = 0; i < 4; ++i) bench.add("f" + std::to_string(i), pattern(300, i));
    CancelSource stop;
    bench.loop.reactor.at(bench.loop.clock.now() + Millis(steps * 10), [&stop] { stop.cancel(); });
    const auto adopted = adopt(bench, 2, stop.token());
    CHECK(bench.memory_source.open() == 0);
    if (adopted) {
      CHECK(adopted->size() == 4);
    } else {
      CHECK(adopted.error().kind == Kind::cancelled);
    }
  }
}
