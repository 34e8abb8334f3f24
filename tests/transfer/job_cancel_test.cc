// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

/// Cancels when the sink has been called so many times.
void cancel_at_event(PourBench& bench, CancelSource& stop, unsigned event) {
  bench.sink.on_event = [&stop, left = event](const char*) mutable {
    if (left > 0 && --left == 0) stop.cancel(Error(Kind::cancelled, "interrupted"));
  };
}

/// Cancels from the records or the source's side: after so many steps of the ready queue.
Task<Result<void>> cancel_after(unsigned steps, CancelSource& stop, CancelToken done) {
  for (unsigned i = 0; i < steps && !done.cancelled(); ++i) co_await Yield();
  stop.cancel(Error(Kind::cancelled, "interrupted"));
  co_return Result<void>();
}

Task<Result<void>> pour_beside(Job& job, unsigned steps, ReadyQueue& queue) {
  CancelSource stop;
  CancelSource done;
  TaskGroup beside(queue, CancelToken());
  beside.spawn(cancel_after(steps, stop, done.token()));
  Result<void> poured = co_await job.run(stop.token());
  done.cancel();
  Result<void> joined = co_await beside.join();
  if (!joined) co_return joined;
  co_return poured;
}

}  // namespace

TEST_CASE("job: cancelled at any call of the sink, it leaves no upload that nobody knows") {
  for (const unsigned lanes : {1U, 2U, 3U}) {
    for (unsigned event = 1; event <= 70; ++event) {
      CAPTURE(lanes);
      CAPTURE(event);
      PourBench bench(event);
      bench.rings = 1 + event % lanes;
      bench.add("large", pattern(16 * 12 + 3));
      bench.add("other", pattern(16 * 7, 3));
      bench.add("small", pattern(9, 4));
      CancelSource stop;
      cancel_at_event(bench, stop, event);
      const Result<void> poured = bench.pour(lanes, 40, 16, stop.token());
      CHECK(bench.tidy());
      if (!stop.cancelled()) CHECK(bench.all_there());
      if (poured) continue;
      CHECK(poured.error().kind == Kind::cancelled);
      CHECK(poured.error().sentence == "interrupted");
      CHECK(bench.observer.failed.empty());
    }
  }
}

TEST_CASE("job: cancelled after any step, it leaves no upload that nobody knows") {
  for (unsigned steps = 0; steps < 600; steps += 2) {
    CAPTURE(steps);
    PourBench bench(steps);
    bench.add("large", pattern(16 * 7));
    bench.add("small", pattern(9, 4));
    std::vector<const FileEntry*> files;
    for (const auto& entry : bench.entries) files.push_back(entry.get());
    MemoryPlan plan;
    plan.lanes = 2;
    plan.ring_bytes = 32;
    const auto pool = RingPool::make(2, 32);
    REQUIRE(pool);
    Job job(bench.services, files, plan, 16, **pool);
    const Result<void> poured = bench.loop.run(pour_beside(job, steps, bench.loop.reactor.ready()));
    bench.left = job.unfinished();
    CHECK(bench.tidy());
    if (poured) CHECK(bench.all_there());
  }
}

TEST_CASE("job: cancelled between two stripes, it leaves no upload that nobody knows") {
  // The file's third stripe has not been dealt when the first two are done: nobody pours at that
  // moment.
  for (unsigned answered = 1; answered <= 8; ++answered) {
    for (unsigned steps = 0; steps < 24; ++steps) {
      CAPTURE(answered);
      CAPTURE(steps);
      PourBench bench(steps);
      bench.memory_sink.answer_delay = Millis(50);  // the answers come together
      bench.add("large", pattern(16 * 8));
      std::vector<const FileEntry*> files{bench.entries[0].get()};
      MemoryPlan plan;
      plan.lanes = 2;
      plan.ring_bytes = 16;
      const auto pool = RingPool::make(2, 16);
      REQUIRE(pool);
      Job job(bench.services, files, plan, 16, **pool);
      CancelSource stop;
      ReadyQueue& queue = bench.loop.reactor.ready();
      TaskGroup beside(queue, CancelToken());
      unsigned answers = 0;
      bench.sink.on_event = [&](const char* name) {
        if (std::string_view(name) != "put_part answered" || ++answers != answered) return;
        beside.spawn(cancel_after(steps, stop, CancelToken()));
      };
      const Result<void> poured = bench.loop.run(job.run(stop.token()));
      bench.left = job.unfinished();
      const Result<void> joined = bench.loop.run(beside.join());
      CHECK(joined.has_value());
      CHECK(bench.tidy());
      if (poured) CHECK(bench.all_there());
    }
  }
}

TEST_CASE("job: cancelled before it begins, it asks for nothing") {
  PourBench bench;
  bench.add("large", pattern(16 * 7));
  CancelSource stop;
  stop.cancel(Error(Kind::cancelled, "interrupted"));
  const Result<void> poured = bench.pour(2, 32, 16, stop.token());
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::cancelled);
  CHECK(bench.memory_source.streams.empty());
  CHECK(bench.memory_sink.created == 0);
}

TEST_CASE("job: any mixture of faults ends with the files whole or the job failed, never in between") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    PourBench bench(seed);
    Random random(seed);
    const auto draw = [&random](unsigned most) { return static_cast<unsigned>(random.fraction() * (most + 1)); };
    for (unsigned i = 0; i < 1 + draw(6); ++i) {
      bench.add("f" + std::to_string(i), pattern(draw(400), i), draw(1) == 0 ? HashKind::sha256 : HashKind::git_blob);
    }
    const Kind kinds[] = {Kind::unavailable, Kind::network, Kind::throttled, Kind::protocol, Kind::expired};
    for (unsigned i = 0; i < draw(4); ++i) {
      bench.sink.part_faults.push_back(FaultySink::PartFault{draw(9), draw(2), static_cast<FaultySink::When>(draw(2)),
                                                             Error(kinds[draw(4)], "trouble")});
    }
    bench.sink.wrong_etags = draw(1);
    if (draw(2) == 0) bench.source.flip = FaultySource::Flip{"f0", draw(300), 1, draw(3)};
    const Bytes part = 8 + draw(40);
    const Bytes ring = 16 + draw(80);
    const unsigned lanes = 1 + draw(4);
    bench.rings = 1 + draw(lanes - 1);
    const Result<void> poured = bench.pour(lanes, ring, part);
    CHECK(bench.tidy());
    CHECK(poured.has_value() == bench.all_there());
    CHECK(bench.records.files.size() == bench.memory_sink.objects.size());
    Bytes visible = 0;
    for (const auto& [path, content] : bench.memory_sink.objects) visible += content.size();
    // What is kept for a later run is stored and not visible: the parts that are noted, and maybe some beyond them.
    Bytes noted = 0;
    Bytes most = 0;
    for (const UnfinishedFile& one : bench.left) {
      for (const HashedPart& held : one.upload.parts) noted += held.etag.empty() ? 0 : one.upload.part_size;
      most += one.file.size;
    }
    CHECK(bench.progress.stored_bytes >= visible + noted);
    CHECK(bench.progress.stored_bytes <= visible + most);
  }
}
