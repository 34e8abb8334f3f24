// SPDX-License-Identifier: MIT
#pragma once

#include "base/clock.h"
#include "loop/cancel.h"
#include "loop/condition.h"
#include "loop/task.h"
#include "transfer/observer.h"

namespace hfpour {

/// How many lanes may move at once. Each time the store or the Hub asks to slow down it is half as many, and as long as
/// nobody does it grows again, so that it ends near what they take. Loop thread.
class Pace {
 public:
  /// So many lanes at most; `observer` and `progress`, whose `throttled` tells of each such answer, outlive it.
  Pace(unsigned lanes, Observer& observer, Progress& progress)
      : observer_(observer), progress_(progress), lanes_(lanes), allowed_(lanes) {}

  /// Lanes with a number below this one, from 0, may begin with something; never 0.
  unsigned allowed() const { return allowed_; }

  /// Looks at what has happened since the last call; to be called a few times a second.
  void look(SteadyTime now);

  /// Waits until one more part may be on its way to the store. Each success is followed by one `upload_ended`.
  Task<Result<void>> begin_upload(CancelToken cancel);
  void upload_ended();

 private:
  void set(unsigned allowed, SteadyTime now);

  Observer& observer_;
  Progress& progress_;
  unsigned lanes_;
  unsigned allowed_;
  unsigned uploads_ = 0;
  std::uint64_t seen_ = 0;  ///< of `progress_.throttled`
  SteadyTime changed_at_{};
  Condition changed_;
};

}  // namespace hfpour
