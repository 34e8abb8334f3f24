// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace hfpour {

/// How patient to be. Full jitter: a delay is drawn from [0, min(cap, first · 2ⁿ)), so that many lanes that failed
/// together do not return together.
struct RetryPolicy {
  Millis patience{300'000};  ///< from the first failure without progress until it is given up (contract hub §9: 5 min)
  unsigned least_attempts = 3;  ///< so many at least, however long they take
  Millis first{500};
  Millis cap{30'000};
  /// A longer pause that the other side asks for ends the attempts; the Hub's window is 300 s.
  Millis longest_wish{600'000};
};

/// Turns failures into delays, or into "stop". Counts only failures since the last progress: a 100 GB file may meet any
/// number of unrelated hiccups. Loop thread.
class Backoff {
 public:
  Backoff(RetryPolicy policy, Random& random, const Clock& clock) : policy_(policy), random_(random), clock_(clock) {}

  /// Something moved: the count begins anew.
  void progress() { failures_ = 0; }
  unsigned failures() const { return failures_; }

  /// How long to wait before the next attempt, at least as long as the remote side asked for; nothing when the error
  /// is final or the patience is used up.
  std::optional<Millis> after(const Error& error);

 private:
  RetryPolicy policy_;
  Random& random_;
  const Clock& clock_;
  unsigned failures_ = 0;
  SteadyTime first_failure_{};
};

}  // namespace hfpour
