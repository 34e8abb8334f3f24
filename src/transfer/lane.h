// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <span>

#include "buffer/ring.h"
#include "transfer/observer.h"

namespace hfpour {

/// The right to move bytes: one ring, one stream from the source, its uploads. Loop thread.
struct Lane {
  explicit Lane(std::span<std::byte> storage) : ring(storage) {}

  /// What a busy lane waits for, read off its ring: empty means the source, full means the slowest reader.
  Limit waits_for() const {
    if (ring.free() > ring.capacity() / 2) return Limit::hub;
    const Bytes unhashed = std::max(ring.available(Ring::Reader::hash), ring.available(Ring::Reader::sum));
    return unhashed > ring.available(Ring::Reader::upload) ? Limit::hash : Limit::store;
  }

  Ring ring;
  bool busy = false;
};

}  // namespace hfpour
