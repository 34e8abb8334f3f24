// SPDX-License-Identifier: MIT
#include "pipe/spout.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "support/data.h"
#include "support/faulty_source.h"
#include "support/memory_source.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

/// Marks where files begin and end.
class Brackets final : public Framing {
 public:
  std::string head(const FileEntry& file) const override { return "<" + file.path + ">"; }
  std::string tail(const FileEntry& file) const override { return "</" + file.path + ">"; }
  std::string end() const override { return "."; }
};

struct SpoutShape {
  std::size_t lanes = 3;
  Bytes ring = 64;
  std::uint64_t seed = 1;
  std::size_t rings = 0;  ///< 0: one for each lane
};

/// Files of this name take a while to begin.
class LateSource final : public Source {
 public:
  LateSource(Reactor& reactor, Source& inner) : reactor_(reactor), inner_(inner) {}

  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override {
    co_await reactor_.sleep(Millis(file.path == late ? 100 : 0), cancel);
    Result<void> streamed = co_await inner_.stream(file, range, inlet, cancel);
    co_return streamed;
  }
  void distrust(const FileEntry& file) override { inner_.distrust(file); }
  void done(const FileEntry& file) override { inner_.done(file); }

  std::string late;

 private:
  Reactor& reactor_;
  Source& inner_;
};

/// A spout between a source in memory and a pipe that a thread reads.
class SpoutBench {
 public:
  explicit SpoutBench(SpoutShape shape) : memory(loop.reactor, shape.seed), source(memory), shape_(shape) {}

  void add(const std::string& path, const std::string& content) {
    memory.add(path, content);
    entries_.push_back(std::make_unique<FileEntry>(entry_of(path, content)));
    members.push_back(Spout::Member{entries_.back().get(), ByteRange{0, content.size()}, true});
  }

  Result<void> pour(const Framing& framing) {
    int ends[2] = {-1, -1};
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    std::jthread reader([this, fd = ends[0]] {
      char buffer[100];
      for (ssize_t got = read(fd, buffer, sizeof buffer); got > 0; got = read(fd, buffer, sizeof buffer)) {
        seen.append(buffer, static_cast<std::size_t>(got));
      }
      close(fd);
    });
    Result<void> poured;
    {
      const auto pool = RingPool::make(shape_.rings == 0 ? shape_.lanes : shape_.rings, shape_.ring);
      REQUIRE(pool.has_value());
      HashWorkers hashers(loop.reactor, 2);
      Descriptor out(loop.reactor, ends[1], "stdout");
      const Spout::Services services{loop.reactor, hashers, late_source, out, progress};
      Spout spout(services, static_cast<unsigned>(shape_.lanes), **pool, shape_.ring, framing);
      poured = loop.run(spout.pour(members, CancelToken()));
    }
    close(ends[1]);
    return poured;
  }

  TestLoop loop;
  MemorySource memory;
  FaultySource source;
  LateSource late_source{loop.reactor, source};
  Progress progress;
  std::vector<Spout::Member> members;
  std::string seen;

 private:
  SpoutShape shape_;
  std::vector<std::unique_ptr<FileEntry>> entries_;
};

}  // namespace

TEST_CASE("spout: files of every length arrive in order, whatever the lanes, the rings and the weather") {
  for (const std::size_t lanes : {1U, 2U, 3U, 7U}) {
    for (const Bytes ring : {16U, 64U, 251U}) {
      for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        CAPTURE(lanes);
        CAPTURE(ring);
        CAPTURE(seed);
        SpoutBench bench(SpoutShape{lanes, ring, seed, 1 + seed % lanes});
        std::string wanted;
        unsigned number = 0;
        for (const Bytes size : {Bytes(0), Bytes(1), ring - 1, ring, ring + 1, 5 * ring + 3, Bytes(3), Bytes(0),
                                 Bytes(2), Bytes(1000), Bytes(3)}) {
          const std::string path = "f" + std::to_string(number++);
          const std::string content = pattern(size, number);
          bench.add(path, content);
          wanted += "<" + path + ">" + content + "</" + path + ">";
        }
        const Brackets brackets;
        const Result<void> poured = bench.pour(brackets);
        REQUIRE_MESSAGE(poured.has_value(), poured.error().sentence);
        CHECK(bench.seen == wanted + ".");
      }
    }
  }
}

TEST_CASE("spout: small files that are there first leave memory for the stripes before them") {
  for (const std::size_t rings : {2U, 3U, 4U}) {
    CAPTURE(rings);
    SpoutBench bench(SpoutShape{7, 64, 1, rings});
    bench.late_source.late = "large";
    const std::string large = pattern(5 * 64);
    bench.add("large", large);
    std::string wanted = "<large>" + large + "</large>";
    for (unsigned i = 0; i < 9; ++i) {
      const std::string path = "f" + std::to_string(i);
      bench.add(path, "abc");
      wanted += "<" + path + ">abc</" + path + ">";
    }
    const Brackets brackets;
    const Result<void> poured = bench.pour(brackets);
    REQUIRE(poured.has_value());
    CHECK(bench.seen == wanted + ".");
  }
}

TEST_CASE("spout: a file with a wrong byte never gets its end, and what follows is not begun") {
  for (const Bytes offset : {Bytes(0), Bytes(150), Bytes(299)}) {
    for (const std::size_t lanes : {1U, 4U}) {
      CAPTURE(offset);
      SpoutBench bench(SpoutShape{lanes, 64, 3});
      const std::string content = pattern(300);
      bench.add("good", "abc");
      bench.add("bad", content);
      bench.add("after", "xyz");
      bench.source.flip = FaultySource::Flip{"bad", offset};
      const Brackets brackets;
      const Result<void> poured = bench.pour(brackets);
      REQUIRE_FALSE(poured.has_value());
      CHECK(poured.error().kind == Kind::integrity);
      CHECK(bench.seen.find("</bad>") == std::string::npos);
      CHECK(bench.seen.find("after") == std::string::npos);
      CHECK(bench.seen.size() < std::string("<good>abc</good><bad>").size() + content.size() - 31);
    }
  }
}

TEST_CASE("spout: of a range nothing is verified, and exactly the range is fetched") {
  SpoutBench bench(SpoutShape{2, 64, 5});
  const std::string content = pattern(1000);
  bench.add("f", content);
  bench.members[0].range = ByteRange{100, 501};
  bench.members[0].verify = false;
  bench.source.flip = FaultySource::Flip{"f", 200};
  const Framing plain;
  REQUIRE(bench.pour(plain).has_value());
  std::string wanted = content.substr(100, 401);
  wanted[100] = static_cast<char>(wanted[100] ^ 0x10);
  CHECK(bench.seen == wanted);
  CHECK(bench.progress.received_bytes == 401);
}

TEST_CASE("spout: the end of a source's patience ends the stream") {
  SpoutBench bench(SpoutShape{3, 64, 6});
  bench.add("a", pattern(500));
  bench.add("b", pattern(500));
  bench.source.breaking = FaultySource::Break{"b", 250, Error(Kind::forbidden, "gated")};
  const Brackets brackets;
  const Result<void> poured = bench.pour(brackets);
  REQUIRE_FALSE(poured.has_value());
  CHECK(poured.error().kind == Kind::forbidden);
  CHECK(bench.seen.find("</b>") == std::string::npos);
}

TEST_CASE("spout: lanes fetch side by side, and no more than they hold") {
  SpoutBench bench(SpoutShape{4, 64, 7});
  bench.add("f", pattern(5000));
  const Framing plain;
  REQUIRE(bench.pour(plain).has_value());
  CHECK(bench.memory.most_open > 1);
  CHECK(bench.memory.most_open <= 4);
}
