// SPDX-License-Identifier: MIT
#include "buffer/ring_lender.h"

#include <algorithm>
#include <cassert>

namespace hfpour {

RingLender::RingLender(const RingPool& pool) : pool_(pool) {
  for (std::size_t index = pool.count(); index-- > 0;) free_.push_back(index);
}

std::vector<RingLender::Borrower>::iterator RingLender::place_of(const Ring& ring) {
  return std::ranges::find_if(line_, [&ring](const Borrower& one) { return one.ring == &ring; });
}

void RingLender::enter(Ring& ring) {
  assert(place_of(ring) == line_.end());
  line_.push_back(Borrower{&ring});
}

void RingLender::leave(Ring& ring) {
  const auto place = place_of(ring);
  if (place == line_.end()) return;
  line_.erase(place);
  if (const std::optional<std::size_t> index = ring.give_back()) free_.push_back(*index);
  lend();
}

void RingLender::ask(const Ring& ring) {
  const auto place = place_of(ring);
  if (place == line_.end()) return;
  place->asks = true;
  lend();
}

void RingLender::lend() {
  std::size_t lacking = 0;  // rings before this one
  for (const Borrower& one : line_) {
    if (one.ring->has_memory()) continue;
    if (one.asks && free_.size() > lacking) {
      const std::size_t index = free_.back();
      free_.pop_back();
      one.ring->take_memory(index, pool_.cells_of(index));
    } else {
      ++lacking;
    }
  }
}

}  // namespace hfpour
