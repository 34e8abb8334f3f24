// SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "loop/ready_queue.h"

namespace hfpour {

/// What every promise here shares: the queue it was started on, and who waits for its end.
struct PromiseBase {
  ReadyQueue* queue = nullptr;
  std::coroutine_handle<> continuation;

  std::suspend_always initial_suspend() noexcept { return {}; }
  // Exceptions are not used here; one from a library is a bug or no memory, and neither can be mended.
  void unhandled_exception() noexcept { std::terminate(); }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      PromiseBase& promise = ended.promise();
      if (promise.continuation) promise.queue->push(promise.continuation);
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
};

template <class T>
struct Promise;

/// A coroutine that yields one `T`. Lazy: it runs when it is awaited, or when a reactor or a group starts it.
///
/// Rules (lint-checked where a machine can): R1 only the ready queue resumes. R2 no `{` between `co_await` and its
/// `;` (gcc 12 destroys braced aggregates twice). R3 never destroyed while suspended half-way: cancel it, await it.
/// R4 parameters by value, or references to what outlives the task; no capturing lambda. Loop thread.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})), started_(other.started_) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (!handle_) return;
    assert((!started_ || handle_.done()) && "a task is cancelled and awaited, not destroyed");
    handle_.destroy();
  }

  bool done() const { return handle_.done(); }

  /// Lets the task begin on `queue`; whoever calls it keeps the task alive until it is done.
  void start(ReadyQueue& queue) {
    started_ = true;
    handle_.promise().queue = &queue;
    queue.push(handle_);
  }

  /// The result of a task that is done.
  T take() { return handle_.promise().take(); }

  bool await_ready() const noexcept { return false; }
  template <class Caller>
  void await_suspend(std::coroutine_handle<Caller> caller) noexcept {
    handle_.promise().continuation = caller;
    start(*caller.promise().queue);
  }
  T await_resume() { return take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
  bool started_ = false;
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() { return Task<T>(std::coroutine_handle<Promise>::from_promise(*this)); }
  template <class U>
  void return_value(U&& given) {
    value.emplace(std::forward<U>(given));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() { return Task<void>(std::coroutine_handle<Promise>::from_promise(*this)); }
  void return_void() {}
  void take() {}
};

}  // namespace hfpour
