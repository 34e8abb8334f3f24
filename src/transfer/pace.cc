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

/// The first rate is taken over so long, those of trials over longer: lanes that have just begun wait 0.66 s for their
/// first byte at the edge (contract hub §3.9), and stripes come in bursts of about a second.
constexpr Millis first_window{1'000};
constexpr Millis trial_window{3'000};
/// Twice the lanes are worth their connections when they bring so much more; half of them will do when they lose less.
constexpr double worth_more = 1.10;
constexpr double worth_less = 0.95;
constexpr unsigned fewest_to_try = 4;
/// A machine with so little to do can stand four times the lanes at once.
constexpr double light_load = 0.2;
/// After a trial that brought nothing: links and neighbours change within minutes, not seconds.
constexpr Millis first_quiet{30'000};
constexpr Millis longest_quiet{300'000};

}  // namespace

void Pace::look(const Pulse& pulse) {
  if (throttle(pulse.now)) {
    trial_.reset();
    measuring_ = false;
  } else {
    tune(pulse);
  }
}

/// Follows who asks to slow down. True while that rules.
bool Pace::throttle(SteadyTime now) {
  const bool asked = progress_.throttled > seen_;
  seen_ = progress_.throttled;
  if (asked && now - throttled_at_ >= settling) {
    throttled_at_ = now;
    quiet_until_ = std::max(quiet_until_, now + first_quiet);
    const unsigned lanes = std::max(1U, allowed_ / 2);
    if (lanes != allowed_) {
      observer_.remark(fmt::format("asked to slow down: going on with {} of {} lanes", lanes, wanted_));
    }
    allow(lanes);
  } else if (allowed_ < wanted_ && now - throttled_at_ >= calm) {
    throttled_at_ = now;
    allow(std::min(wanted_, allowed_ + std::max(1U, wanted_ / 8)));
    if (allowed_ == wanted_) observer_.remark(fmt::format("going on with all {} lanes again", wanted_));
  }
  return allowed_ < wanted_;
}

/// Tries other numbers of lanes and keeps what moves most bytes with the fewest.
void Pace::tune(const Pulse& pulse) {
  if (!pulse.more_work || pulse.busy != allowed_) {
    measuring_ = false;  // fewer, or those of a larger number that still end what they had begun: says nothing
    return;
  }
  if (!measuring_) measure_from(pulse.now);
  loads_ += pulse.load;
  ++looks_;
  const auto passed = std::chrono::duration_cast<Millis>(pulse.now - measured_from_);
  if (passed < (trial_ ? trial_window : first_window)) return;
  const double rate = static_cast<double>(progress_.received_bytes - bytes_then_) / static_cast<double>(passed.count());
  const double load = loads_ / looks_;  // not the last one: stripes come in bursts
  measure_from(pulse.now);
  if (trial_ && !judge(rate, pulse.now)) return;
  if (pulse.now < quiet_until_ || rate <= 0 || load >= full_load || allowed_ >= most_) return;
  try_with(std::min(most_, allowed_ * (load < light_load ? 4 : 2)), rate);
}

/// The end of a trial. True when more lanes have brought more.
bool Pace::judge(double rate, SteadyTime now) {
  const Trial trial = *std::exchange(trial_, std::nullopt);
  if (allowed_ > trial.before) {
    if (rate >= trial.rate * worth_more) return true;
    // The link is full: perhaps it is with fewer, too.
    settle_on(trial.before, now);
    if (trial.before >= 2 * fewest_to_try) try_with(trial.before / 2, trial.rate);
    return false;
  }
  if (rate < trial.rate * worth_less) {
    settle_on(trial.before, now);
  } else if (allowed_ >= 2 * fewest_to_try) {
    try_with(allowed_ / 2, trial.rate);
  }
  return false;
}

void Pace::measure_from(SteadyTime now) {
  measuring_ = true;
  measured_from_ = now;
  bytes_then_ = progress_.received_bytes;
  loads_ = 0;
  looks_ = 0;
}

void Pace::try_with(unsigned lanes, double rate) {
  trial_ = Trial{allowed_, rate};
  wanted_ = lanes;
  allow(lanes);
}

void Pace::settle_on(unsigned lanes, SteadyTime now) {
  quiet_ = std::clamp(quiet_ * 2, first_quiet, longest_quiet);
  quiet_until_ = now + quiet_;
  wanted_ = lanes;
  allow(lanes);
}

void Pace::allow(unsigned lanes) {
  if (observer_.tracing()) observer_.trace(fmt::format("{} lanes instead of {}", lanes, allowed_));
  allowed_ = lanes;
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
