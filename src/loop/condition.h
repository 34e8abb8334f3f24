// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <coroutine>
#include <vector>

#include "loop/cancel.h"
#include "loop/task.h"

namespace hfpour {

/// Wakes coroutines that wait for something to change. Used in a loop: `while (!there) co_await changed.wait(cancel);`
///
/// A wait ends at the next `notify`, or when its token is cancelled (look at the token afterwards). Loop thread; the
/// condition outlives its waiters.
class Condition {
 public:
  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  class Wait {
   public:
    Wait(Condition& condition, CancelToken cancel) : condition_(condition), cancel_(cancel) {}
    bool await_ready() const { return cancel_.cancelled(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> handle) {
      waiter_.handle = handle;
      waiter_.queue = handle.promise().queue;
      condition_.waits_.push_back(this);
      registration_ = CancelRegistration(cancel_, [this] {
        std::erase(condition_.waits_, this);
        waiter_.resume();
      });
    }
    void await_resume() const {}

   private:
    friend class Condition;
    Condition& condition_;
    CancelToken cancel_;
    CancelRegistration registration_;
    Waiter waiter_;
  };

  Wait wait(CancelToken cancel) { return Wait(*this, cancel); }

  void notify() {
    for (Wait* const wait : std::exchange(waits_, {})) {
      wait->registration_.reset();
      wait->waiter_.resume();
    }
  }

 private:
  std::vector<Wait*> waits_;
};

}  // namespace hfpour
