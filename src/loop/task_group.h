// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <utility>

#include "base/result.h"
#include "loop/cancel.h"
#include "loop/condition.h"
#include "loop/task.h"

namespace hfpour {

/// Children that run side by side and end before their parent goes on. The first failure cancels the others and is
/// what `join` returns. A child is destroyed as soon as it is done. Loop thread.
class TaskGroup {
 public:
  TaskGroup(ReadyQueue& queue, CancelToken parent) : queue_(queue), cancel_(parent) {}
  ~TaskGroup() { assert(running_ == 0 && "join a group before it ends"); }

  /// Starts `task`. Give it `token()`, so that it ends when a sibling fails.
  void spawn(Task<Result<void>> task) {
    ++running_;
    Runner runner = run(*this, std::move(task));
    runner.handle.promise().queue = &queue_;
    queue_.push(runner.handle);
  }

  CancelToken token() { return cancel_.token(); }

  /// Waits for every child.
  Task<Result<void>> join() {
    while (running_ > 0) co_await ended_.wait(CancelToken());
    if (first_error_) co_return *first_error_;
    co_return Result<void>();
  }

 private:
  /// A frame that destroys itself at its end; it owns one child.
  struct Runner {
    struct promise_type : PromiseBase {
      Runner get_return_object() { return Runner{std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
    };
    std::coroutine_handle<promise_type> handle;
  };

  static Runner run(TaskGroup& group, Task<Result<void>> given) {
    {
      Task<Result<void>> task = std::move(given);
      Result<void> result = co_await task;
      if (!result) group.fail(result.error());
    }
    --group.running_;
    group.ended_.notify();
  }

  void fail(const Error& error) {
    if (first_error_) return;
    first_error_ = error;
    cancel_.cancel(Error(Kind::cancelled, "stopped because of: " + error.sentence));
  }

  ReadyQueue& queue_;
  CancelSource cancel_;
  Condition ended_;
  std::size_t running_ = 0;
  std::optional<Error> first_error_;
};

}  // namespace hfpour
