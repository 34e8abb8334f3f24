// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "buffer/ring.h"

namespace hfpour {

/// The memory of all rings: one mapping, made once and given back at the end. Loop thread.
class RingPool {
 public:
  /// Maps `count` rings of `ring_bytes` each, in equal cells no longer than `longest_cell`, so that rounding costs a
  /// few bytes a ring and not a cell. Errors: `quota` when the system has no such memory.
  static Result<std::unique_ptr<RingPool>> make(std::size_t count, Bytes ring_bytes, Bytes longest_cell = usual_cell);
  RingPool(const RingPool&) = delete;
  RingPool& operator=(const RingPool&) = delete;
  ~RingPool();

  std::size_t count() const { return count_; }
  Bytes ring_bytes() const { return ring_bytes_; }
  Bytes cell() const { return cell_; }
  /// The memory of one ring, whole cells.
  std::span<std::byte> cells_of(std::size_t index) const { return {base_ + index * stride_, stride_}; }
  /// The same memory in one piece, without what it was rounded up by.
  std::span<std::byte> storage(std::size_t index) const { return {base_ + index * stride_, ring_bytes_}; }

 private:
  RingPool(std::byte* base, std::size_t count, Bytes ring_bytes, Bytes cell, Bytes stride)
      : base_(base), count_(count), ring_bytes_(ring_bytes), cell_(cell), stride_(stride) {}
  std::byte* base_;
  std::size_t count_;
  Bytes ring_bytes_;
  Bytes cell_;
  Bytes stride_;  ///< from one ring to the next
};

}  // namespace hfpour
