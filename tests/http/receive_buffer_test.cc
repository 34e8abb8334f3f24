// SPDX-License-Identifier: MIT
#include "http/receive_buffer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

using namespace hfpour;
using namespace hfpour::http;

namespace {

class TcpSocket {
 public:
  TcpSocket() : number(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  TcpSocket(const TcpSocket&) = delete;
  TcpSocket& operator=(const TcpSocket&) = delete;
  ~TcpSocket() { close(number); }

  int get(int name, int level = SOL_SOCKET) const {
    int value = -1;
    socklen_t length = sizeof value;
    REQUIRE(getsockopt(number, level, name, &value, &length) == 0);
    return value;
  }
  void set(int name, int value) const { REQUIRE(setsockopt(number, SOL_SOCKET, name, &value, sizeof value) == 0); }
  bool tuned() const { return (get(SO_BUF_LOCK) & SOCK_RCVBUF_LOCK) == 0; }

  const int number;
};

constexpr int window = 64 * 1024;

}  // namespace

TEST_CASE("receive buffer: a fixed one is charged twice its window, and the kernel leaves it alone") {
  const TcpSocket socket;
  REQUIRE(socket.tuned());
  bound_receive_buffer(socket.number, window, true);
  CHECK(socket.get(SO_RCVBUF) == 2 * window);
  CHECK_FALSE(socket.tuned());
}

TEST_CASE("receive buffer: one that is not fixed goes on being tuned until it is as large as its window") {
  const TcpSocket socket;
  bound_receive_buffer(socket.number, window, false);
  CHECK(socket.tuned());
  CHECK(socket.get(TCP_WINDOW_CLAMP, IPPROTO_TCP) == window);
  for (const bool enough : {false, true}) {
    socket.set(SO_RCVBUF, enough ? window : window / 2);
    socket.set(SO_BUF_LOCK, SOCK_SNDBUF_LOCK);  // as the kernel's tuning would have left it
    CHECK(end_growth(socket.number, window) == enough);
    CHECK(socket.tuned() != enough);
    CHECK((socket.get(SO_BUF_LOCK) & SOCK_SNDBUF_LOCK) != 0);
  }
}

TEST_CASE("few sockets: so many as may be open at a time, each until it is closed") {
  FewSockets few;
  const TcpSocket first;
  CHECK_FALSE(few.admit(first.number, 0));
  CHECK(few.admit(first.number, 2));
  auto second = std::make_unique<TcpSocket>();
  CHECK(few.admit(second->number, 2));
  CHECK_FALSE(few.admit(TcpSocket().number, 2));
  const int number = second->number;
  second.reset();
  const TcpSocket third;
  REQUIRE(third.number == number);  // given again, and another socket all the same
  CHECK(few.admit(third.number, 2));
  CHECK_FALSE(few.admit(TcpSocket().number, 2));
}

TEST_CASE("few sockets: a number that is something else by now is not one of them") {
  FewSockets few;
  auto gone = std::make_unique<TcpSocket>();
  CHECK(few.admit(gone->number, 1));
  const int number = gone->number;
  gone.reset();
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(file == number);
  CHECK_FALSE(few.admit(file, 1));
  CHECK(few.admit(TcpSocket().number, 1));
  close(file);
}

TEST_CASE("receive buffer: what the kernel would cut cannot be fixed") {
  CHECK(can_fix_receive_buffer(window));
  CHECK_FALSE(can_fix_receive_buffer(1024 * 1024 * 1024));
}
