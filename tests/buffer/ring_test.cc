// SPDX-License-Identifier: MIT
#include "buffer/ring.h"

#include <doctest/doctest.h>

#include <string>

#include "base/random.h"
#include "buffer/ring_pool.h"
#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

using Reader = Ring::Reader;

class CountingWaker final : public Waker {
 public:
  void wake() override { ++woken; }
  unsigned woken = 0;
};

/// A ring of a given capacity with verbs for tests.
struct RingBench {
  explicit RingBench(Bytes capacity, const std::vector<Reader>& readers = {Reader::hash, Reader::upload},
                     Bytes cell = 3)
      : memory(capacity + cell, '\0'),
        ring(std::as_writable_bytes(std::span(memory.data(), memory.size())), capacity, cell) {
    ring.reset(readers);
  }
  std::string memory;
  Ring ring;

  bool write(const std::string& text) { return ring.write(as_view(text)); }
  std::string read(Reader reader, Bytes limit) {
    std::string all;
    while (all.size() < limit) {
      const ByteView piece = ring.peek(reader, limit - all.size());
      if (piece.empty()) break;
      all += as_text(piece);
      ring.advance(reader, piece.size());
    }
    return all;
  }
};

}  // namespace

TEST_CASE("ring: bytes come out as they went in at every position of every small capacity in cells of every size") {
  for (Bytes shape = 0; shape < 45; ++shape) {
    const Bytes capacity = 1 + shape / 5;
    const Bytes cell = 1 + shape % 5;
    for (Bytes start = 0; start < 2 * capacity; ++start) {
      for (Bytes length = 0; length <= capacity; ++length) {
        CAPTURE(capacity);
        CAPTURE(cell);
        CAPTURE(start);
        CAPTURE(length);
        RingBench bench(capacity, {Reader::hash, Reader::upload}, cell);
        for (Bytes i = 0; i < start; ++i) {
          REQUIRE(bench.write("-"));
          bench.read(Reader::hash, 1);
          bench.read(Reader::upload, 1);
        }
        const std::string text = pattern(length, 1);
        REQUIRE(bench.write(text));
        REQUIRE(bench.ring.free() == capacity - length);
        std::string seen;
        for (Bytes at = start; at < start + length;) {
          const ByteView piece = bench.ring.view_at(at, start + length - at);
          seen += as_text(piece);
          at += piece.size();
        }
        REQUIRE(seen == text);
        for (const Bytes limit : {length / 2, length, length + 1}) {
          std::string together;
          for (const ByteView piece : bench.ring.peek_all(Reader::hash, limit)) together += as_text(piece);
          REQUIRE(together == text.substr(0, limit));
        }
        REQUIRE(bench.read(Reader::hash, 100) == text);
        REQUIRE(bench.ring.free() == capacity - length);
        REQUIRE(bench.read(Reader::upload, 100) == text);
        REQUIRE(bench.ring.free() == capacity);
      }
    }
  }
}

TEST_CASE("ring: a cell is free only when all readers that were named have passed it") {
  RingBench bench(4);
  CHECK(bench.write("abcd"));
  CHECK(bench.ring.free() == 0);
  CHECK(bench.read(Reader::upload, 3) == "abc");
  CHECK(bench.ring.free() == 0);
  CHECK_FALSE(bench.write("e"));
  CHECK(bench.read(Reader::hash, 2) == "ab");
  CHECK(bench.ring.free() == 2);
  CHECK(bench.write("ef"));
  CHECK(bench.read(Reader::hash, 9) == "cdef");
  CHECK(bench.read(Reader::upload, 9) == "def");
}

TEST_CASE("ring: a reader that was not named has nothing to read and holds nothing") {
  RingBench bench(4, {Reader::sum});
  CHECK(bench.write("abcd"));
  CHECK(bench.ring.available(Reader::hash) == 0);
  CHECK(bench.ring.available(Reader::upload) == 0);
  CHECK(bench.read(Reader::sum, 4) == "abcd");
  CHECK(bench.ring.free() == 4);
}

TEST_CASE("ring: a write that does not fit leaves everything as it was") {
  RingBench bench(5);
  CHECK(bench.write("abc"));
  CHECK_FALSE(bench.write("xyz"));
  CHECK(bench.ring.written() == 3);
  CHECK_FALSE(bench.write(std::string(6, 'x')));
  CHECK(bench.write(""));
  CHECK(bench.write("de"));
  CHECK(bench.read(Reader::hash, 9) == "abcde");
}

TEST_CASE("ring: a reset ring begins at offset zero") {
  RingBench bench(4);
  CHECK(bench.write("abc"));
  bench.read(Reader::hash, 2);
  bench.ring.reset();
  CHECK(bench.ring.written() == 0);
  CHECK(bench.ring.free() == 4);
  CHECK(bench.ring.position(Reader::hash) == 0);
  CHECK(bench.ring.peek(Reader::upload, 9).empty());
}

TEST_CASE("ring: a waiting writer is woken once, when a quarter is free") {
  RingBench bench(16);
  CountingWaker waker;
  bench.ring.set_writer_waker(&waker);
  CHECK(bench.write(pattern(16)));
  bench.read(Reader::hash, 16);
  bench.read(Reader::upload, 1);
  CHECK(waker.woken == 0);  // nobody waits
  bench.ring.writer_waits();
  bench.read(Reader::upload, 1);
  bench.read(Reader::upload, 1);
  CHECK(waker.woken == 0);
  bench.read(Reader::upload, 1);
  CHECK(waker.woken == 1);
  bench.read(Reader::upload, 4);
  CHECK(waker.woken == 1);
  bench.ring.writer_waits();
  bench.read(Reader::upload, 1);
  CHECK(waker.woken == 2);
  bench.ring.set_writer_waker(nullptr);
  bench.ring.writer_waits();
  bench.read(Reader::upload, 1);
  CHECK(waker.woken == 2);
}

TEST_CASE("ring: the slower reader decides when the writer is woken") {
  RingBench bench(8);
  CountingWaker waker;
  bench.ring.set_writer_waker(&waker);
  CHECK(bench.write(pattern(8)));
  bench.ring.writer_waits();
  bench.read(Reader::upload, 8);
  CHECK(waker.woken == 0);
  bench.read(Reader::hash, 2);
  CHECK(waker.woken == 1);
}

TEST_CASE("ring: the upload is woken by bytes, and only by bytes") {
  RingBench bench(8);
  CountingWaker waker;
  bench.ring.set_upload_waker(&waker);
  CHECK(bench.write(""));
  CHECK(waker.woken == 0);
  CHECK(bench.write("abc"));
  CHECK(waker.woken == 1);
  CHECK_FALSE(bench.write(pattern(6)));
  CHECK(waker.woken == 1);
}

TEST_CASE("ring: an upload that waits for so many bytes is woken by no fewer") {
  RingBench bench(8);
  CountingWaker waker;
  bench.ring.set_upload_waker(&waker);
  bench.ring.upload_waits(4);
  CHECK(bench.write("abc"));
  CHECK(waker.woken == 0);
  CHECK(bench.write("d"));
  CHECK(waker.woken == 1);
}

TEST_CASE("ring: a random walk gives each reader the bytes in order") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const auto draw = [&random](Bytes most) {
      return static_cast<Bytes>(random.fraction() * static_cast<double>(most + 1));
    };
    const Bytes capacity = 1 + draw(39);
    const std::string data = pattern(5'000, static_cast<unsigned>(seed));
    RingBench bench(capacity, {Reader::hash, Reader::sum, Reader::upload}, 1 + draw(15));
    CountingWaker waker;
    bench.ring.set_writer_waker(&waker);
    Bytes written = 0;
    std::array<std::string, 3> read;
    const auto done = [&data](const std::string& text) { return text.size() == data.size(); };
    for (unsigned step = 0; !std::ranges::all_of(read, done); ++step) {
      REQUIRE(step < 200'000);
      const std::string piece = data.substr(written, draw(capacity + 1));
      const bool fits = piece.size() <= bench.ring.free();
      REQUIRE(bench.write(piece) == fits);
      if (fits) written += piece.size();
      const auto reader = static_cast<Reader>(draw(2));
      read[static_cast<std::size_t>(reader)] += bench.read(reader, draw(capacity));
      const Bytes behind = std::min({read[0].size(), read[1].size(), read[2].size()});
      REQUIRE(bench.ring.free() == capacity - (written - behind));
      REQUIRE(bench.ring.position(Reader::hash) == read[0].size());
      REQUIRE(bench.ring.available(Reader::upload) == written - read[2].size());
    }
    for (const std::string& text : read) CHECK(text == data);
  }
}

TEST_CASE("ring pool: rings lie side by side and do not overlap") {
  const auto pool = RingPool::make(3, 10, 4);
  REQUIRE(pool);
  CHECK((*pool)->count() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto storage = (*pool)->storage(i);
    CHECK(storage.size() == 10);
    std::ranges::fill(storage, static_cast<std::byte>(i + 1));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    for (const std::byte b : (*pool)->storage(i)) CHECK(b == static_cast<std::byte>(i + 1));
  }
}

TEST_CASE("ring: as long as the readers keep up, only the first cells are touched") {
  RingBench bench(1'000, {Reader::hash, Reader::upload}, 10);
  for (unsigned i = 0; i < 500; ++i) {
    REQUIRE(bench.write(pattern(7, i)));
    REQUIRE(bench.read(Reader::hash, 7) == pattern(7, i));
    if (i > 0) REQUIRE(bench.read(Reader::upload, 7).size() == 7);
  }
  CHECK(bench.memory.find_first_not_of('\0', 30) == std::string::npos);
  CHECK(bench.ring.free() == 993);
  // And all of it can be had when they do not.
  REQUIRE(bench.write(pattern(993)));
  CHECK(bench.ring.free() == 0);
  CHECK(bench.read(Reader::hash, 2'000) == pattern(993));
}

TEST_CASE("ring pool: a ring takes what it holds and a few bytes, whatever its length") {
  for (const Bytes length : {Bytes(1), Bytes(5), 256 * KiB, 5'000'000UL, 8 * MiB}) {
    const auto pool = RingPool::make(2, length);
    REQUIRE(pool);
    CHECK(static_cast<Bytes>((*pool)->storage(1).data() - (*pool)->storage(0).data()) < length + 64);
  }
}

TEST_CASE("ring pool: memory the system does not have is refused, not died of") {
  const auto pool = RingPool::make(std::size_t(1) << 40U, Bytes(1) << 22U);
  REQUIRE_FALSE(pool);
  CHECK(pool.error().kind == Kind::quota);
}
