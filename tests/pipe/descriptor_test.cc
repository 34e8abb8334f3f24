// SPDX-License-Identifier: MIT
#include "pipe/descriptor.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "loop/task_group.h"
#include "support/data.h"
#include "support/test_loop.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

struct Pipe {
  Pipe() {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2] = {-1, -1};
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    reading = ends[0];
    writing = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reading();
    close_writing();
  }
  void close_reading() {
    if (reading >= 0) close(std::exchange(reading, -1));
  }
  void close_writing() {
    if (writing >= 0) close(std::exchange(writing, -1));
  }
  int reading = -1;
  int writing = -1;
};

std::string read_all(int fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t got = read(fd, buffer, sizeof buffer); got > 0; got = read(fd, buffer, sizeof buffer)) {
    all.append(buffer, static_cast<std::size_t>(got));
  }
  return all;
}

Task<Result<void>> cancel_soon(TestLoop& loop, CancelSource& stop) {
  co_await loop.reactor.sleep(Millis(500), CancelToken());
  stop.cancel(Error(Kind::cancelled, "terminated"));
  co_return Result<void>();
}

Task<Result<void>> write_until_stopped(Descriptor& out, const std::string& content, CancelToken cancel) {
  Result<void> written = co_await out.write(as_view(content), cancel);
  co_return written;
}

Task<Result<void>> fill_until_stopped(Descriptor& in, std::string& buffer, CancelToken cancel) {
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(buffer.data(), buffer.size()));
  Result<Bytes> filled = co_await in.fill(bytes, cancel);
  if (!filled) co_return filled.error();
  buffer.resize(*filled);
  co_return Result<void>();
}

}  // namespace

TEST_CASE("descriptor: more than a pipe holds is written whole, and read whole") {
  TestLoop loop;
  Pipe pipe;
  const std::string content = pattern(300'000);
  std::string seen;
  std::jthread reader([&pipe, &seen] { seen = read_all(pipe.reading); });
  {
    Descriptor out(loop.reactor, pipe.writing, "stdout");
    const Result<void> written = loop.run(out.write(as_view(content), CancelToken()));
    CHECK(written.has_value());
  }
  pipe.close_writing();
  reader.join();
  CHECK(seen == content);
}

TEST_CASE("descriptor: fill goes on until the buffer is full or the input ends") {
  TestLoop loop;
  Pipe pipe;
  const std::string content = pattern(200'001);
  std::jthread writer([&pipe, &content] {
    for (std::size_t at = 0; at < content.size(); at += 777) {
      const std::size_t count = std::min<std::size_t>(777, content.size() - at);
      if (write(pipe.writing, content.data() + at, count) != static_cast<ssize_t>(count)) return;
    }
    pipe.close_writing();
  });
  Descriptor in(loop.reactor, pipe.reading, "stdin");
  std::string seen;
  for (Bytes got = 150'000; got == 150'000;) {
    std::string buffer(150'000, '\0');
    const Result<void> filled = loop.run(fill_until_stopped(in, buffer, CancelToken()));
    REQUIRE(filled.has_value());
    got = buffer.size();
    seen += buffer;
  }
  CHECK(seen == content);
  std::string after(10, '\0');
  CHECK(loop.run(fill_until_stopped(in, after, CancelToken())).has_value());
  CHECK(after.empty());
}

TEST_CASE("descriptor: a call that hangs ends when it is cancelled, also again and again") {
  TestLoop loop;
  Pipe pipe;
  Descriptor out(loop.reactor, pipe.writing, "stdout");
  Descriptor in(loop.reactor, pipe.reading, "stdin");
  const std::string content = pattern(1'000'000);
  for (int round = 0; round < 5; ++round) {
    CancelSource stop;
    TaskGroup group(loop.reactor.ready(), CancelToken());
    group.spawn(write_until_stopped(out, content, stop.token()));
    group.spawn(cancel_soon(loop, stop));
    const Result<void> ended = loop.run(group.join());
    REQUIRE_FALSE(ended.has_value());
    CHECK(ended.error().sentence == "terminated");
  }
  // What went into the pipe before is there, and then the reading hangs as well.
  std::string buffer(10'000'000, '\0');
  CancelSource stop;
  TaskGroup group(loop.reactor.ready(), CancelToken());
  group.spawn(fill_until_stopped(in, buffer, stop.token()));
  group.spawn(cancel_soon(loop, stop));
  CHECK(loop.run(group.join()).error().kind == Kind::cancelled);
}

TEST_CASE("descriptor: a reader that has left is told from other trouble") {
  TestLoop loop;
  Pipe pipe;
  pipe.close_reading();
  Descriptor out(loop.reactor, pipe.writing, "stdout");
  const Result<void> gone = loop.run(out.write(as_view("abc"), CancelToken()));
  REQUIRE_FALSE(gone.has_value());
  CHECK(reader_left(gone.error()));

  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  Descriptor disk(loop.reactor, full, "stdout");
  const Result<void> no_room = loop.run(disk.write(as_view("abc"), CancelToken()));
  CHECK(no_room.error().kind == Kind::quota);
  CHECK_FALSE(reader_left(no_room.error()));
  close(full);

  Descriptor wrong(loop.reactor, pipe.writing, "stdin");
  std::string buffer(10, '\0');
  CHECK(loop.run(fill_until_stopped(wrong, buffer, CancelToken())).error().kind == Kind::usage);
}

TEST_CASE("descriptor: works when somebody else made it non-blocking, and leaves that as it is") {
  TestLoop loop;
  Pipe pipe;
  REQUIRE(fcntl(pipe.writing, F_SETFL, O_NONBLOCK) == 0);
  const std::string content = pattern(500'000);
  std::string seen;
  std::jthread reader([&pipe, &seen] { seen = read_all(pipe.reading); });
  {
    Descriptor out(loop.reactor, pipe.writing, "stdout");
    CHECK(loop.run(out.write(as_view(content), CancelToken())).has_value());
  }
  CHECK((fcntl(pipe.writing, F_GETFL) & O_NONBLOCK) != 0);
  pipe.close_writing();
  reader.join();
  CHECK(seen == content);
}
