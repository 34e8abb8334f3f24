// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include "buffer/ring_lender.h"
#include "transfer/observer.h"

namespace hfpour {

/// The right to move bytes: one ring, one stream from the source, its uploads. There may be more lanes than memory for
/// their rings, which is lent. Loop thread.
struct Lane {
  explicit Lane(RingLender& lender) : rings(lender), ring(lender.ring()) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() { leave(); }

  /// Before each piece, in the order of the pieces: the ring may have memory from now on.
  void enter() { rings.enter(ring); }
  /// Nobody reads what is in the ring any more.
  void leave() { rings.leave(ring); }

  /// What a busy lane waits for, read off its ring: empty means the source as long as that still has something, full
  /// means the slowest reader. With nothing left to come and nothing to hash it is the store's answers.
  Limit waits_for() const {
    const bool silent = !ring.has_memory();  // not a byte has come yet
    if (streaming && (silent || ring.free() > ring.capacity() / 2)) return Limit::hub;
    const Bytes unhashed = std::max(ring.available(Ring::Reader::hash), ring.available(Ring::Reader::sum));
    return unhashed > ring.available(Ring::Reader::upload) ? Limit::hash : Limit::store;
  }

  /// Bytes have come, and there is no memory for them yet.
  bool waits_for_memory() const { return !ring.has_memory() && ring.writer_waiting(); }

  RingLender& rings;
  Ring ring;
  bool busy = false;
  bool streaming = false;  ///< bytes are still to come from the source
  bool ahead = false;      ///< of its file's hash, which has to get there first
};

}  // namespace hfpour
