// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace hfpour {

/// The memory of all rings: one mapping, made once and given back at the end. Loop thread.
class RingPool {
 public:
  /// Maps `count` rings of `ring_bytes` each. Errors: `quota` when the system has no such memory.
  static Result<std::unique_ptr<RingPool>> make(std::size_t count, Bytes ring_bytes);
  RingPool(const RingPool&) = delete;
  RingPool& operator=(const RingPool&) = delete;
  ~RingPool();

  std::size_t count() const { return count_; }
  std::span<std::byte> storage(std::size_t ring) const { return {base_ + ring * ring_bytes_, ring_bytes_}; }

 private:
  RingPool(std::byte* base, std::size_t count, Bytes ring_bytes)
      : base_(base), count_(count), ring_bytes_(ring_bytes) {}
  std::byte* base_;
  std::size_t count_;
  Bytes ring_bytes_;
};

}  // namespace hfpour
