// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <deque>

namespace hfpour {

/// Coroutines that may go on. The reactor drains it and is the only one that resumes a coroutine (rule R1):
/// symmetric transfer overflows the stack without optimisation and under sanitizers on gcc 12. Loop thread.
class ReadyQueue {
 public:
  void push(std::coroutine_handle<> handle) { handles_.push_back(handle); }
  bool empty() const { return handles_.empty(); }

  /// Resumes until nothing is left, including what was pushed meanwhile.
  void drain() {
    while (!handles_.empty()) {
      const std::coroutine_handle<> next = handles_.front();
      handles_.pop_front();
      next.resume();
    }
  }

 private:
  std::deque<std::coroutine_handle<>> handles_;
};

/// A suspended coroutine and the queue it goes on from.
struct Waiter {
  std::coroutine_handle<> handle;
  ReadyQueue* queue = nullptr;
  void resume() const { queue->push(handle); }
};

}  // namespace hfpour
