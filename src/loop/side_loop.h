// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <latch>
#include <thread>

#include "loop/condition.h"
#include "loop/reactor.h"
#include "loop/task_group.h"

namespace hfpour {

/// A second reactor on a thread of its own, for work that the loop lends it. What runs there belongs to that thread
/// alone; both tell each other of news by `Reactor::post`, in the order in which they came.
class SideLoop {
 public:
  /// Starts the thread, which people see as `name` (at most 15 letters) from here on. Throws `std::system_error` when
  /// the system grants none.
  SideLoop(const Clock& clock, const char* name);
  SideLoop(const SideLoop&) = delete;
  SideLoop& operator=(const SideLoop&) = delete;
  /// Ends the thread. Nothing may be under way on it.
  ~SideLoop();

  /// To post to, and for what is going to live there.
  Reactor& reactor() { return reactor_; }
  const Reactor& reactor() const { return reactor_; }
  /// Calls `begin` on the side and runs the task it gives, which cannot fail. Any thread.
  void spawn(std::function<Task<Result<void>>()> begin);

 private:
  Task<void> serve();

  Reactor reactor_;
  TaskGroup tasks_;  ///< the side's, as are the next two
  Condition changed_;
  bool closing_ = false;
  std::latch named_{1};
  std::jthread thread_;
};

}  // namespace hfpour
