// SPDX-License-Identifier: MIT
#include "pipe/funnel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "support/memory_sink.h"
#include "support/pour_bench.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

struct FunnelShape {
  Bytes first_part = 20;
  Bytes most_part = 40;
  Bytes budget = 100;
  unsigned uploads = 3;
  unsigned max_parts = 10'000;
  std::uint64_t seed = 1;
};

/// A funnel between a pipe that a thread writes and a bucket in memory.
class FunnelBench {
 public:
  explicit FunnelBench(FunnelShape shape) : sink(loop.reactor, shape.seed), random(shape.seed) {
    wishes.plan.first_part = shape.first_part;
    wishes.plan.most_part = shape.most_part;
    wishes.plan.budget = shape.budget;
    wishes.plan.uploads = shape.uploads;
    wishes.plan.limits = SinkLimits{1, 1000, shape.max_parts};
    wishes.plan.ceiling = 64 * MiB;
    wishes.patience.patience = Millis(300);
    wishes.patience.first = Millis(5);
    sink.answer_delay = Millis(30);
  }

  Result<Funnel::Stored> pour(const std::string& content) { return pour_into(sink, content); }

  Result<Funnel::Stored> pour_into(Sink& into, const std::string& content) {
    int ends[2] = {-1, -1};
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    std::jthread writer([&content, fd = ends[1]] {
      for (std::size_t at = 0; at < content.size();) {
        const ssize_t count = write(fd, content.data() + at, std::min<std::size_t>(13, content.size() - at));
        if (count <= 0) break;
        at += static_cast<std::size_t>(count);
      }
      close(fd);
    });
    HashWorkers hashers(loop.reactor, 2);
    Descriptor in(loop.reactor, ends[0], "stdin");
    const Funnel::Services services{loop.reactor, hashers, in, into, observer, progress, random};
    FileEntry entry = entry_of("key", content);
    if (wrong_hash) entry.hash.bytes[0] ^= std::byte{1};
    Funnel funnel(services, entry, wishes);
    Result<Funnel::Stored> stored = loop.run(funnel.run(stop.token()));
    close(ends[0]);
    return stored;
  }

  TestLoop loop;
  MemorySink sink;
  Funnel::Wishes wishes;
  NotedObserver observer;
  Progress progress;
  Random random;
  CancelSource stop;
  bool wrong_hash = false;
};

}  // namespace

TEST_CASE("funnel: a stream of every length arrives, by one request or in parts") {
  for (const Bytes size : {0U, 1U, 19U, 20U, 21U, 40U, 41U, 99U, 1000U, 5003U}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(size);
      CAPTURE(seed);
      FunnelShape shape;
      shape.seed = seed;
      FunnelBench bench(shape);
      bench.wishes.verify = true;
      const std::string content = pattern(size);
      const Result<Funnel::Stored> stored = bench.pour(content);
      REQUIRE_MESSAGE(stored.has_value(), stored.error().sentence);
      CHECK(stored->size == size);
      CHECK(stored->parts == (size <= 20 ? 0 : (size + 19) / 20));
      CHECK(bench.sink.objects.at("key") == content);
      CHECK(bench.sink.wrong.empty());
      CHECK(bench.sink.uploads.empty());
      CHECK(bench.sink.most_under_way <= 3);
      CHECK(bench.progress.stored_bytes == size);
    }
  }
}

TEST_CASE("funnel: one upload at a time is enough") {
  FunnelShape shape;
  shape.uploads = 1;
  shape.budget = 40;
  FunnelBench bench(shape);
  const std::string content = pattern(1001);
  REQUIRE(bench.pour(content).has_value());
  CHECK(bench.sink.objects.at("key") == content);
}

TEST_CASE("funnel: parts double after each five hundred, within the budget") {
  FunnelBench bench(FunnelShape{});
  bench.sink.answer_delay = Millis(0);
  const std::string content = pattern(500 * 20 + 3 * 40 + 7);
  const Result<Funnel::Stored> stored = bench.pour(content);
  REQUIRE(stored.has_value());
  CHECK(stored->parts == 504);
  CHECK(bench.sink.objects.at("key") == content);
}

TEST_CASE("funnel: a stream that ends with the last part there may be arrives, one byte more does not") {
  FunnelShape shape;
  shape.max_parts = 5;
  FunnelBench fits(shape);
  REQUIRE(fits.pour(pattern(100)).has_value());
  FunnelBench bench(shape);
  const Result<Funnel::Stored> stored = bench.pour(pattern(101));
  REQUIRE_FALSE(stored.has_value());
  CHECK(stored.error().kind == Kind::quota);
  CHECK(stored.error().sentence.find("--memory 128Mi") != std::string::npos);
  CHECK(bench.sink.objects.empty());
  CHECK(bench.sink.uploads.empty());
}

TEST_CASE("funnel: neither a wrong hash nor a wrong size becomes visible") {
  for (const Bytes size : {0U, 5U, 20U, 300U}) {
    CAPTURE(size);
    FunnelBench bench(FunnelShape{});
    bench.wishes.verify = true;
    bench.wrong_hash = true;
    CHECK(bench.pour(pattern(size)).error().kind == Kind::integrity);
    for (const Bytes expected : {size + 1, size - 1, size + 1000}) {
      if (size == 0 && expected > 1000) continue;
      FunnelBench other(FunnelShape{});
      other.wishes.expected_size = expected;
      CHECK(other.pour(pattern(size)).error().kind == Kind::integrity);
      CHECK(other.sink.objects.empty());
      CHECK(other.sink.uploads.empty());
    }
    CHECK(bench.sink.objects.empty());
    CHECK(bench.sink.uploads.empty());
  }
}

TEST_CASE("funnel: a part that failed is sent again from memory") {
  for (const FaultySink::When when : {FaultySink::When::before, FaultySink::When::midway, FaultySink::When::after}) {
    for (const unsigned number : {1U, 2U, 7U, 50U}) {
      CAPTURE(number);
      FunnelBench bench(FunnelShape{});
      bench.wishes.verify = true;
      FaultySink faulty(bench.sink);
      faulty.part_faults = {FaultySink::PartFault{number, 3, when}};
      const std::string content = pattern(999);
      const Result<Funnel::Stored> stored = bench.pour_into(faulty, content);
      REQUIRE_MESSAGE(stored.has_value(), stored.error().sentence);
      CHECK(bench.sink.objects.at("key") == content);
      CHECK(bench.observer.retries.size() == 3);
      CHECK(bench.progress.retries == 3);
    }
  }
}

TEST_CASE("funnel: an ETag that is not the MD5 is another failure of the part, three of them are final") {
  FunnelBench bench(FunnelShape{});
  FaultySink faulty(bench.sink);
  faulty.wrong_etags = 2;
  const std::string content = pattern(500);
  REQUIRE(bench.pour_into(faulty, content).has_value());
  CHECK(bench.sink.objects.at("key") == content);
  FunnelBench other(FunnelShape{});
  FaultySink hopeless(other.sink);
  hopeless.wrong_etags = 1000;
  CHECK(other.pour_into(hopeless, content).error().kind == Kind::protocol);
  CHECK(other.sink.uploads.empty());
  FunnelBench encrypting(FunnelShape{});
  FaultySink odd(encrypting.sink);
  odd.wrong_etags = 0;
  encrypting.wishes.check_md5 = false;
  REQUIRE(encrypting.pour_into(odd, content).has_value());
}

TEST_CASE("funnel: trouble that lasts drops the upload") {
  struct Trouble {
    std::function<void(FaultySink&)> make;
    Kind kind;
  };
  const Error gone(Kind::expired, "NoSuchUpload");
  const std::vector<Trouble> troubles = {
      {[](FaultySink& sink) {
         sink.part_faults = {FaultySink::PartFault{3, 1000}};
       },
       Kind::unavailable},
      {[&gone](FaultySink& sink) {
         sink.part_faults = {FaultySink::PartFault{3, 1, FaultySink::When::before, gone}};
       },
       Kind::expired},
      {[](FaultySink& sink) { sink.create_failures = 1; }, Kind::unavailable},
      {[](FaultySink& sink) { sink.complete_failures = 1; }, Kind::expired},
  };
  for (const Trouble& trouble : troubles) {
    FunnelBench bench(FunnelShape{});
    FaultySink faulty(bench.sink);
    trouble.make(faulty);
    const Result<Funnel::Stored> stored = bench.pour_into(faulty, pattern(2000));
    REQUIRE_FALSE(stored.has_value());
    CHECK(stored.error().kind == trouble.kind);
    CHECK(bench.sink.objects.empty());
    CHECK(bench.sink.uploads.empty());
  }
}

TEST_CASE("funnel: cancelled at any moment, nothing is left but an object that was already complete") {
  for (unsigned moment = 1; moment <= 40; ++moment) {
    CAPTURE(moment);
    FunnelBench bench(FunnelShape{});
    FaultySink faulty(bench.sink);
    unsigned seen = 0;
    faulty.on_event = [&bench, &seen, moment](const char*) {
      if (++seen == moment) bench.stop.cancel(Error(Kind::cancelled, "terminated"));
    };
    const std::string content = pattern(300);
    const Result<Funnel::Stored> stored = bench.pour_into(faulty, content);
    CHECK(bench.sink.uploads.empty());
    if (!stored) CHECK(stored.error().kind == Kind::cancelled);
    if (stored) CHECK(bench.sink.objects.at("key") == content);
  }
}
