// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <numeric>

#include "support/forwarding_sink.h"
#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

/// Whoever passes waits while it is closed.
class Gate {
 public:
  bool closed = false;
  void open() {
    closed = false;
    opened_.notify();
  }
  Task<void> pass(CancelToken cancel) {
    while (closed && !cancel.cancelled()) co_await opened_.wait(cancel);
  }

 private:
  Condition opened_;
};

/// A source whose streams wait at a gate: those that begin at offset `last` or before it.
class HeldSource final : public Source {
 public:
  explicit HeldSource(Source& inner) : inner_(inner) {}
  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override {
    if (range.begin <= last) co_await gate.pass(cancel);
    Result<void> streamed = co_await inner_.stream(file, range, inlet, cancel);
    co_return streamed;
  }
  void distrust(const FileEntry& file) override { inner_.distrust(file); }
  void done(const FileEntry& file) override { inner_.done(file); }

  Gate gate;
  Bytes last = ~Bytes{0};

 private:
  Source& inner_;
};

/// A sink that takes no byte of a part before its gate opens.
class HeldSink final : public ForwardingSink {
 public:
  using ForwardingSink::ForwardingSink;
  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override {
    co_await gate.pass(cancel);
    Result<PartReceipt> receipt = co_await ForwardingSink::put_part(file, upload_id, number, bytes, cancel);
    co_return receipt;
  }

  Gate gate;
};

/// A job that is looked at while the source, the sink or the only hash worker holds it up.
class LimitBench {
 public:
  static constexpr Bytes part = 32;
  static constexpr Bytes ring = 64;
  static constexpr unsigned looks = 10;

  explicit LimitBench(unsigned files, Bytes size) {
    for (unsigned i = 0; i < files; ++i) bench.add("f" + std::to_string(i), pattern(size, i));
    bench.memory_source.longest_chunk = part;
    plan.ring_bytes = ring;
  }

  /// Pours everything over `lanes`, looks at it `looks` times with each of these loads once nothing moves any more,
  /// and only then opens the gates. What was seen, for each load.
  std::vector<LimitSamples> held(unsigned lanes, std::vector<double> loads) {
    loads_ = std::move(loads);
    pour(lanes, false);
    return seen_;
  }

  /// Pours everything while the only worker has other digests to do between any two pieces, and looks all the time.
  LimitSamples with_busy_worker(unsigned lanes, double load) {
    loads_ = {load};
    pour(lanes, true);
    return bench.progress.samples;
  }

  PourBench bench;
  HashWorkers hashers{bench.loop.reactor, 1};
  HeldSource source{bench.source};
  HeldSink sink{bench.sink};
  MemoryPlan plan;

 private:
  void pour(unsigned lanes, bool worker_is_busy) {
    plan.lanes = lanes;
    std::vector<const FileEntry*> files;
    for (const auto& entry : bench.entries) files.push_back(entry.get());
    Result<std::unique_ptr<RingPool>> pool = RingPool::make(lanes, ring);
    REQUIRE(pool.has_value());
    Services services{bench.loop.reactor, hashers,      source,     sink, bench.records, bench.observer,
                      bench.progress,     bench.random, bench.pace, true, RetryPolicy()};
    Job job(services, files, plan, part, **pool);
    TaskGroup group(bench.loop.reactor.ready(), CancelToken());
    group.spawn(run(job));
    if (worker_is_busy) {
      group.spawn(keep_worker_busy());
      group.spawn(look_always(job));
    } else {
      group.spawn(look_when_held(job));
    }
    CHECK(bench.loop.run(group.join()).has_value());
    CHECK(bench.all_there());
  }

  Task<Result<void>> run(Job& job) {
    Result<void> done = co_await job.run(CancelToken());
    over_ = true;
    co_return done;
  }

  Task<Result<void>> look_when_held(Job& job) {
    // By the loop's own clock: some hundred turns, which nobody waits for.
    co_await bench.loop.reactor.sleep(Millis(5'000), CancelToken());
    for (const double load : loads_) {
      bench.progress.samples = {};
      for (unsigned i = 0; i < looks; ++i) job.sample(load);
      seen_.push_back(bench.progress.samples);
    }
    source.gate.open();
    sink.gate.open();
    co_return Result<void>();
  }

  Task<Result<void>> keep_worker_busy() {
    const std::string much = pattern(8 * MiB);
    Digest other(DigestKind::sha256);
    while (!over_) co_await hashers.feed(as_view(much), other);
    co_return Result<void>();
  }

  Task<Result<void>> look_always(Job& job) {
    while (!over_) {
      job.sample(loads_.front());
      co_await bench.loop.reactor.sleep(Millis(5), CancelToken());
    }
    co_return Result<void>();
  }

  std::vector<double> loads_;
  std::vector<LimitSamples> seen_;
  bool over_ = false;
};

/// So many looks, all of which saw this.
LimitSamples only(Limit limit, std::uint64_t count) {
  LimitSamples samples{};
  samples[static_cast<std::size_t>(limit)] = count;
  return samples;
}

std::uint64_t share(const LimitSamples& samples, Limit limit) {
  return samples[static_cast<std::size_t>(limit)];
}

std::uint64_t all(const LimitSamples& samples) {
  return std::accumulate(samples.begin(), samples.end(), std::uint64_t{0});
}

constexpr double nearly_full = full_load - 0.01;

}  // namespace

TEST_CASE("limits: lanes that wait for their first byte name the source, those whose rings nobody empties the store") {
  for (const Limit held : {Limit::hub, Limit::store}) {
    CAPTURE(held);
    LimitBench bench(4, 300);
    (held == Limit::hub ? bench.source.gate : bench.sink.gate).closed = true;
    const std::vector<LimitSamples> seen = bench.held(4, {0, nearly_full, full_load, 1});
    const LimitSamples ours = only(held, 4 * LimitBench::looks);
    const LimitSamples full = only(Limit::cpu, 4 * LimitBench::looks);
    CHECK(seen == std::vector{ours, ours, full, full});
  }
}

TEST_CASE("limits: memory is named when all lanes there are wait for the source, and more of it would give more") {
  LimitBench bench(4, 300);
  bench.plan.held_by_memory = true;
  bench.source.gate.closed = true;
  const std::vector<LimitSamples> seen = bench.held(4, {0, full_load});
  const std::uint64_t count = 4 * LimitBench::looks;
  CHECK(seen == std::vector{only(Limit::memory, count), only(Limit::cpu, count)});
}

TEST_CASE("limits: more memory would not help while a lane is idle") {
  LimitBench bench(3, 30);
  bench.plan.held_by_memory = true;
  bench.source.gate.closed = true;
  CHECK(bench.held(4, {0}) == std::vector{only(Limit::hub, 3 * LimitBench::looks)});
}

TEST_CASE("limits: more memory would not help when the store takes nothing") {
  LimitBench bench(4, 300);
  bench.plan.held_by_memory = true;
  bench.sink.gate.closed = true;
  CHECK(bench.held(4, {0}) == std::vector{only(Limit::store, 4 * LimitBench::looks)});
}

TEST_CASE("limits: a lane that is ahead of its file's hash is not counted, what its first stripe waits for is") {
  LimitBench bench(1, 300);
  bench.source.gate.closed = true;
  bench.source.last = 0;
  const std::vector<LimitSamples> seen = bench.held(4, {0, full_load});
  CHECK(seen == std::vector{only(Limit::hub, LimitBench::looks), only(Limit::cpu, LimitBench::looks)});
  CHECK(bench.bench.memory_source.most_open >= 3);  // the others were at work
}

TEST_CASE("limits: a digest that gets its turn late on the only worker is named") {
  LimitBench bench(1, 8 * LimitBench::ring);
  const LimitSamples seen = bench.with_busy_worker(1, 0);
  CAPTURE(seen);
  CHECK(all(seen) > 20);
  CHECK(share(seen, Limit::hash) > all(seen) / 2);
  CHECK(share(seen, Limit::cpu) == 0);
}

TEST_CASE("limits: full cores are named and not the digest that suffers from them") {
  LimitBench bench(1, 4 * LimitBench::ring);
  const LimitSamples seen = bench.with_busy_worker(1, full_load);
  CHECK(all(seen) > 0);
  CHECK(seen == only(Limit::cpu, all(seen)));
}
