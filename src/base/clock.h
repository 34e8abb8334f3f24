// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace hfpour {

using Millis = std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// The only door through which time enters the program. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic; for durations and timers.
  virtual SteadyTime now() const = 0;
  /// Calendar time; for signatures and records.
  virtual WallTime wall() const = 0;
};

/// The machine's own clocks.
class SystemClock final : public Clock {
 public:
  SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

}  // namespace hfpour
