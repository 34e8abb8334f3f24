// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include "buffer/ring_pool.h"
#include "transfer/observer.h"

namespace hfpour {

/// The right to move bytes: one ring, one stream from the source, its uploads. Loop thread.
struct Lane {
  Lane(const RingPool& pool, std::size_t index) : ring(pool.ring(index)) {}

  /// What a busy lane waits for, read off its ring: empty means the source as long as that still has something, full
  /// means the slowest reader. With nothing left to come and nothing to hash it is the store's answers.
  Limit waits_for() const {
    if (streaming && ring.free() > ring.capacity() / 2) return Limit::hub;
    const Bytes unhashed = std::max(ring.available(Ring::Reader::hash), ring.available(Ring::Reader::sum));
    return unhashed > ring.available(Ring::Reader::upload) ? Limit::hash : Limit::store;
  }

  Ring ring;
  bool busy = false;
  bool streaming = false;  ///< bytes are still to come from the source
  bool ahead = false;      ///< of its file's hash, which has to get there first
};

}  // namespace hfpour
