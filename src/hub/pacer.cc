// SPDX-License-Identifier: MIT
#include "hub/pacer.h"

#include <algorithm>

#include "http/headers.h"

namespace hfpour::hub {
namespace {

constexpr Bytes plenty = 50;  ///< of 500 and more a window (contract hub §5.1): a tenth is when spreading begins
/// The Hub tells the rest of its window in whole seconds, and not how it rounds them: who takes them at their word
/// comes up to a second early, with all its lanes.
constexpr std::chrono::seconds rounding(1);
/// The Hub's windows last five minutes. Whoever claims more is asked again after this, and may refuse then.
constexpr std::chrono::seconds longest_window(600);

}  // namespace

Task<void> Pacer::turn(std::string bucket, CancelToken cancel) {
  Bucket& state = buckets_[bucket];
  while (!cancel.cancelled()) {
    const SteadyTime now = reactor_.clock().now();
    if (now >= state.next_start) break;
    co_await reactor_.sleep(std::chrono::ceil<Millis>(state.next_start - now), cancel);
  }
  const SteadyTime now = reactor_.clock().now();
  if (!state.known || now >= state.reset || state.remaining >= plenty) co_return;
  // Each request takes its share of the rest of the window; those that come meanwhile queue up behind it.
  const auto share = (state.reset - now) / static_cast<long>(std::max<Bytes>(state.remaining, 1));
  state.next_start = std::max(state.next_start, now) + share;
  if (state.remaining > 0) --state.remaining;
}

void Pacer::note(const std::string& bucket, const http::Response& answer) {
  Bucket& state = buckets_[bucket];
  const SteadyTime now = reactor_.clock().now();
  const std::optional<http::RateLimit> limit = http::parse_rate_limit(answer.headers);
  if (limit) {
    state.known = true;
    state.remaining = limit->remaining;
    state.reset = now + std::min<std::chrono::seconds>(limit->reset, longest_window) + rounding;
  }
  if (answer.status != 429) return;
  // The Hub gives no Retry-After; its window ends after `t` seconds. Jitter, so that the lanes do not all arrive in the
  // same instant. A proxy's 429 may bring neither: then the back-off of the request must do.
  const std::optional<std::chrono::seconds> wished = http::parse_retry_after(answer.headers);
  const Millis jitter(static_cast<Millis::rep>(random_.fraction() * 500));
  if (limit && limit->remaining == 0) {
    state.next_start = std::max(state.next_start, state.reset + jitter);
  } else if (wished) {
    state.next_start = std::max(state.next_start, now + std::min(*wished, longest_window) + jitter);
  }
}

}  // namespace hfpour::hub
