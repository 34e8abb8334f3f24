// SPDX-License-Identifier: MIT
#pragma once

#include "base/clock.h"

namespace hfpour::testing {

/// A clock that moves when it is told to.
class ManualClock final : public Clock {
 public:
  SteadyTime now() const override { return SteadyTime(since_); }
  WallTime wall() const override { return WallTime(since_); }
  void advance(Millis by) { since_ += by; }
  Millis since_start() const { return since_ - beginning; }

 private:
  static constexpr Millis beginning{1'000'000};
  Millis since_ = beginning;
};

}  // namespace hfpour::testing
