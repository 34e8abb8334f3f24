// SPDX-License-Identifier: MIT
#pragma once

#include <limits>

#include "buffer/flow.h"

namespace hfpour::s3 {

/// Counts what the inner inlet has taken, so that a broken answer can be gone on with there.
class CountingInlet final : public Inlet {
 public:
  /// Refuses bytes beyond `limit`.
  explicit CountingInlet(Inlet& inner, Bytes limit = std::numeric_limits<Bytes>::max())
      : inner_(inner), limit_(limit) {}
  Take take(ByteView bytes) override {
    if (bytes.size() > limit_ - count_) return Take::refused;
    const Take taken = inner_.take(bytes);
    if (taken == Take::all) count_ += bytes.size();
    return taken;
  }
  void set_waker(Waker* waker) override { inner_.set_waker(waker); }
  Bytes count() const { return count_; }

 private:
  Inlet& inner_;
  Bytes limit_;
  Bytes count_ = 0;
};

}  // namespace hfpour::s3
