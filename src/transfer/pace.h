// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "base/clock.h"
#include "loop/cancel.h"
#include "loop/condition.h"
#include "loop/task.h"
#include "transfer/observer.h"

namespace hfpour {

/// A machine this full would only divide its time among more lanes.
inline constexpr double full_load = 0.85;

/// What a look at the job shows.
struct Pulse {
  SteadyTime now;
  double load = 0;        ///< how full the cores are, 0 to 1
  unsigned busy = 0;      ///< lanes that are at work
  bool more_work = true;  ///< another lane would have something to do
};

/// How many lanes may move at once. It begins with a few, doubles or more as long as that brings bytes faster and the
/// cores are not full, and tries with fewer when it does not. Each time the store or the Hub asks to slow down it is
/// half as many, and as long as nobody does they come back. Loop thread.
class Pace {
 public:
  struct Lanes {
    unsigned begin = 0;  ///< with so many
    unsigned most = 0;   ///< at most so many; the same as `begin`: only who asks to slow down changes it
  };

  /// `observer` and `progress`, which tells of bytes and of answers that ask to slow down, outlive it. What such
  /// answers said before the lanes began is not about them.
  Pace(Lanes lanes, Observer& observer, Progress& progress)
      : observer_(observer),
        progress_(progress),
        most_(lanes.most),
        wanted_(lanes.begin),
        allowed_(lanes.begin),
        seen_(progress.throttled) {}

  /// Lanes with a number below this one, from 0, may begin with something; never 0.
  unsigned allowed() const { return allowed_; }

  /// Looks at what has happened since the last call; to be called a few times a second.
  void look(const Pulse& pulse);

  /// Waits until one more part may be on its way to the store. Each success is followed by one `upload_ended`.
  Task<Result<void>> begin_upload(CancelToken cancel);
  void upload_ended();

 private:
  /// A number of lanes that is being tried.
  struct Trial {
    unsigned before = 0;
    double rate = 0;  ///< with so many, bytes per second
  };

  bool throttle(SteadyTime now);
  void tune(const Pulse& pulse);
  bool judge(double rate, SteadyTime now);
  void measure_from(SteadyTime now);
  void try_with(unsigned lanes, double rate);
  void settle_on(unsigned lanes, SteadyTime now);
  void allow(unsigned lanes);

  Observer& observer_;
  Progress& progress_;
  unsigned most_;
  unsigned wanted_;   ///< what was found to be best so far
  unsigned allowed_;  ///< fewer than wanted while somebody asks to slow down
  unsigned uploads_ = 0;
  Condition changed_;

  std::uint64_t seen_;  ///< of `progress_.throttled`
  SteadyTime throttled_at_{};

  std::optional<Trial> trial_;
  bool measuring_ = false;
  SteadyTime measured_from_{};
  Bytes bytes_then_ = 0;
  double loads_ = 0;          ///< the sum of those seen since
  unsigned looks_ = 0;        ///< so many
  SteadyTime quiet_until_{};  ///< no new trial before
  Millis quiet_{};            ///< how long the next quiet time is
};

}  // namespace hfpour
