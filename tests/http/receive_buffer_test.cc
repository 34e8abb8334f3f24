// SPDX-License-Identifier: MIT
#include "http/receive_buffer.h"

#include <doctest/doctest.h>
#include <linux/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

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

TEST_CASE("receive buffer: what the kernel would cut cannot be fixed") {
  CHECK(can_fix_receive_buffer(window));
  CHECK_FALSE(can_fix_receive_buffer(1024 * 1024 * 1024));
}
