// SPDX-License-Identifier: MIT
#include "transfer/pace.h"

#include <fmt/core.h>

#include <algorithm>

#include "transfer/memory_plan.h"

namespace hfpour {
namespace {

/// Answers to what was under way when the first of them came say nothing new.
constexpr Millis settling{1'000};
/// Without such an answer for so long, an eighth of the lanes comes back.
constexpr Millis calm{5'000};

}  // namespace

void Pace::look(SteadyTime now) {
  const bool asked = progress_.throttled > seen_;
  if (asked && now - changed_at_ >= settling) {
    seen_ = progress_.throttled;
    set(std::max(1U, allowed_ / 2), now);
  } else if (asked) {
    seen_ = progress_.throttled;
  } else if (allowed_ < lanes_ && now - changed_at_ >= calm) {
    set(std::min(lanes_, allowed_ + std::max(1U, lanes_ / 8)), now);
  }
}

void Pace::set(unsigned allowed, SteadyTime now) {
  changed_at_ = now;
  const bool news = allowed < allowed_ || allowed == lanes_;
  if (allowed != allowed_ && news) {
    observer_.remark(allowed < allowed_
                         ? fmt::format("asked to slow down: going on with {} of {} lanes", allowed, lanes_)
                         : fmt::format("going on with all {} lanes again", lanes_));
  }
  allowed_ = allowed;
  changed_.notify();
}

Task<Result<void>> Pace::begin_upload(CancelToken cancel) {
  while (uploads_ >= allowed_ * uploads_per_lane && !cancel.cancelled()) co_await changed_.wait(cancel);
  if (cancel.cancelled()) co_return cancel.error();
  ++uploads_;
  co_return Result<void>();
}

void Pace::upload_ended() {
  --uploads_;
  changed_.notify();
}

}  // namespace hfpour
