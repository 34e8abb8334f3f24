// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <random>

namespace hfpour {

/// Where chance enters: jitter of retries. Loop thread only. Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [0, 1).
  double fraction() { return std::uniform_real_distribution<double>(0.0, 1.0)(engine_); }
  /// Any 64 bits.
  std::uint64_t word() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace hfpour
