// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "buffer/ring.h"
#include "buffer/ring_pool.h"

namespace hfpour {

/// Lends the memory of a pool to more rings than it has memory for: with its first byte a ring gets some, and without
/// bytes it needs none. A stripe that waits for its first byte, which at the Hub's edge is two thirds of its time
/// (contract hub §3.9), costs a connection and no memory then.
///
/// Rings stand in a line, in the order of their stripes, and one gets memory only when enough is left for all before
/// it: those behind wait for their bytes, so without it nothing would ever become free. Loop thread.
class RingLender {
 public:
  /// `pool` outlives it.
  explicit RingLender(const RingPool& pool);
  RingLender(const RingLender&) = delete;
  RingLender& operator=(const RingLender&) = delete;

  /// A ring without memory, which asks here for it.
  Ring ring() { return Ring(*this, pool_.ring_bytes(), pool_.cell()); }

  /// Puts `ring` at the end of the line; outside of it a ring gets nothing.
  void enter(Ring& ring);
  /// Nobody reads what is in `ring` any more: its memory goes to others. Nothing happens to one that is not in the
  /// line.
  void leave(Ring& ring);

  /// `ring` has bytes. It has memory now, or later, when its writer is woken.
  void ask(const Ring& ring);

 private:
  struct Borrower {
    Ring* ring;
    bool asks = false;
  };

  void lend();
  std::vector<Borrower>::iterator place_of(const Ring& ring);

  const RingPool& pool_;
  std::vector<Borrower> line_;
  std::vector<std::size_t> free_;  ///< indices of the pool's rings; the last is lent first, its bytes may be in a cache
};

}  // namespace hfpour
