// SPDX-License-Identifier: MIT
#include "buffer/ring_pool.h"

#include <sys/mman.h>

#include <algorithm>

namespace hfpour {
namespace {
constexpr Bytes fewest_cells = 4;  ///< a ring of fewer would stop its writer for each
}  // namespace

Result<std::unique_ptr<RingPool>> RingPool::make(std::size_t count, Bytes ring_bytes, Bytes longest_cell) {
  const Bytes cells = std::max(fewest_cells, (ring_bytes + longest_cell - 1) / longest_cell);
  const Bytes cell = (ring_bytes + cells - 1) / cells;
  const Bytes stride = cells * cell;
  void* const base = mmap(nullptr, count * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) {
    return Error(Kind::quota, "the system refuses " + format_bytes(count * stride) + " of memory for the rings");
  }
  return std::unique_ptr<RingPool>(new RingPool(static_cast<std::byte*>(base), count, ring_bytes, cell, stride));
}

RingPool::~RingPool() {
  munmap(base_, count_ * stride_);
}

}  // namespace hfpour
