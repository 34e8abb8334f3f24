// SPDX-License-Identifier: MIT
#include "http/receive_buffer.h"

#include <linux/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

namespace hfpour::http {
namespace {

void set(int socket, int level, int name, int value) {
  setsockopt(socket, level, name, &value, sizeof value);
}

/// As the kernel counts it: twice what was asked for, with room for its own notes (socket(7)).
Bytes size_of_receive_buffer(int socket) {
  int size = 0;
  socklen_t length = sizeof size;
  return getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0 ? static_cast<Bytes>(size) : 0;
}

/// Nothing when there is no such socket, or Linux is older than 4.12.
std::optional<std::uint64_t> cookie_of(int socket) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0) return std::nullopt;
  return cookie;
}

}  // namespace

bool can_fix_receive_buffer(Bytes window) {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  set(probe, SOL_SOCKET, SO_RCVBUF, static_cast<int>(window));
  // 208 KiB for the 256 that a plan may want do as well.
  const bool granted = size_of_receive_buffer(probe) / 2 >= window * 3 / 4;
  close(probe);
  return granted;
}

void bound_receive_buffer(int socket, Bytes window, bool fixed) {
  if (fixed) {
    set(socket, SOL_SOCKET, SO_RCVBUF, static_cast<int>(window));
  } else {
    set(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP, static_cast<int>(window));
  }
}

bool end_growth(int socket, Bytes window) {
  // The kernel's steps are large: 32 of them ended at 3.4 windows on average (docs/performance.md).
  if (size_of_receive_buffer(socket) <= window) return false;
  int locked = 0;
  socklen_t length = sizeof locked;
  if (getsockopt(socket, SOL_SOCKET, SO_BUF_LOCK, &locked, &length) != 0) return false;
  set(socket, SOL_SOCKET, SO_BUF_LOCK, locked | SOCK_RCVBUF_LOCK);
  return true;
}

bool FewSockets::admit(int socket, unsigned most) {
  std::erase_if(open_, [](const One& one) { return cookie_of(one.number) != one.cookie; });
  const std::optional<std::uint64_t> cookie = cookie_of(socket);
  if (!cookie || open_.size() >= most) return false;
  open_.push_back({socket, *cookie});
  return true;
}

}  // namespace hfpour::http
