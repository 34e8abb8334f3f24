// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace hfpour::http {

/// How often the size of a buffer that the kernel tunes should be looked at, in bytes received.
inline constexpr Bytes look_at_buffer_each = 256 * KiB;

/// Whether the kernel gives a socket a receive buffer for `window` bytes when asked (`net.core.rmem_max`: 208 KiB until
/// Linux 6.17, then 4 MiB). Any thread.
bool can_fix_receive_buffer(Bytes window);

/// Bounds what the kernel keeps for `socket` that has come in and was not read; it charges twice a window for it.
/// `fixed`: at once and for good. Else the kernel's own tuning goes on from a window of about that size, and lets it
/// grow with each answer that is read fast, to 6 or 32 MiB (`net.ipv4.tcp_rmem`), unless `end_growth` is called. Any
/// thread.
void bound_receive_buffer(int socket, Bytes window, bool fixed);

/// Tells the kernel to leave the receive buffer as it is once it is large enough for `window` bytes. True when that is
/// done. Never before Linux 5.14, which has no SO_BUF_LOCK. Any thread.
bool end_growth(int socket, Bytes window);

/// Sockets that have something not all can have, each for as long as it is open. One thread.
class FewSockets {
 public:
  /// Whether `socket`, which was just opened, is one of the `most` that may be open at a time.
  bool admit(int socket, unsigned most);

 private:
  struct One {
    int number;
    std::uint64_t cookie;  ///< the kernel's, never given twice: a number is
  };
  std::vector<One> open_;
};

}  // namespace hfpour::http
