// SPDX-License-Identifier: MIT
#pragma once

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

}  // namespace hfpour::http
