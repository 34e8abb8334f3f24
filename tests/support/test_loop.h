// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "loop/reactor.h"
#include "support/manual_clock.h"

namespace hfpour::testing {

/// Lets everything else that is ready go first.
struct Yield {
  bool await_ready() const { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> handle) const {
    handle.promise().queue->push(handle);
  }
  void await_resume() const {}
};

/// A reactor on a clock that moves by itself: each turn of the loop is a little later than the one
/// before, so that timers come due and nobody waits for them.
class TestLoop {
 public:
  ManualClock clock;
  Reactor reactor{clock};

  /// Runs the loop until `task` is done. A task that is not done after a minute of real time is
  /// stuck: the process ends with the name of the test case.
  template <class T>
  T run(Task<T> task) {
    const Running running(*this);
    return reactor.run(std::move(task));
  }

 private:
  struct Running {
    explicit Running(TestLoop& loop) : loop_(loop) {
      loop_.running_ = true;
      loop_.begun_ = std::chrono::steady_clock::now();
      if (!std::exchange(loop_.armed_, true)) loop_.reactor.soon([&l = loop_] { l.tick(); });
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { loop_.running_ = false; }
    TestLoop& loop_;
  };

  void tick() {
    armed_ = running_;
    if (!running_) return;
    clock.advance(step);
    std::this_thread::yield();
    reactor.soon([this] { tick(); });
    if (++ticks_ % 1024 != 0) return;
    if (std::chrono::steady_clock::now() - begun_ < std::chrono::minutes(1)) return;
    std::fputs("the task is stuck\n", stderr);
    std::abort();
  }

  static constexpr Millis step{5};
  std::chrono::steady_clock::time_point begun_;
  unsigned ticks_ = 0;
  bool running_ = false;
  bool armed_ = false;
};

}  // namespace hfpour::testing
