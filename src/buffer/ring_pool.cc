// SPDX-License-Identifier: MIT
#include "buffer/ring_pool.h"

#include <sys/mman.h>

namespace hfpour {

Result<std::unique_ptr<RingPool>> RingPool::make(std::size_t count, Bytes ring_bytes) {
  void* const base = mmap(nullptr, count * ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) {
    return Error(Kind::quota, "the system refuses " + format_bytes(count * ring_bytes) + " of memory for the rings");
  }
  return std::unique_ptr<RingPool>(new RingPool(static_cast<std::byte*>(base), count, ring_bytes));
}

RingPool::~RingPool() {
  munmap(base_, count_ * ring_bytes_);
}

}  // namespace hfpour
