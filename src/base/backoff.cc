// SPDX-License-Identifier: MIT
#include "base/backoff.h"

#include <algorithm>

namespace hfpour {

std::optional<Millis> Backoff::after(const Error& error) {
  if (!is_retryable(error.kind) || error.given_up) return std::nullopt;
  if (failures_ == 0) first_failure_ = clock_.now();
  ++failures_;
  if (failures_ >= policy_.least_attempts && clock_.now() - first_failure_ >= policy_.patience) return std::nullopt;
  // Nobody's init container should wait for hours without a word: that is for whoever started it to decide.
  if (error.retry_after && *error.retry_after > policy_.longest_wish) return std::nullopt;
  const unsigned doublings = std::min(failures_ - 1, 20U);
  const auto left = std::chrono::duration_cast<Millis>(policy_.patience - (clock_.now() - first_failure_));
  const Millis longest = std::min(policy_.cap, std::max(left, policy_.first));  // the last try when patience ends
  const double ceiling =
      std::min<double>(static_cast<double>(longest.count()),
                       static_cast<double>(policy_.first.count()) * static_cast<double>(1U << doublings));
  const Millis drawn(static_cast<Millis::rep>(random_.fraction() * ceiling));
  // The wish of the other side is a floor; the jitter on top keeps lanes apart.
  return error.retry_after ? *error.retry_after + std::min(drawn, Millis(1000)) : drawn;
}

}  // namespace hfpour
