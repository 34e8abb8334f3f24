// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "loop/cancel.h"
#include "loop/task.h"

namespace hfpour {

/// Told of its easy handle.
class Completion {
 public:
  virtual ~Completion() = default;
  /// It has finished.
  virtual void on_done(CURLcode code) = 0;
};

/// The loop: one libcurl multi handle whose sockets are watched with epoll, timers, the ready queue, a mailbox for
/// other threads. A turn costs what has happened in it, not what is open,
/// except with TLS, whose records do not say whose they are.
///
/// What it works with belongs to the thread that calls `run`; only `post`, `waited` and `thread` may be called from
/// another.
class Reactor {
 public:
  explicit Reactor(const Clock& clock);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  const Clock& clock() const { return clock_; }
  ReadyQueue& ready() { return ready_; }

  /// Runs the loop until `task` is done and gives its result.
  template <class T>
  T run(Task<T> task) {
    thread_ = gettid();
    task.start(ready_);
    for (catch_up(); !task.done(); catch_up()) turn();  // what ends a task must not be followed by a wait
    return task.take();
  }

  /// Hands a prepared easy handle to the multi; `completion` is called once, unless `remove` comes first.
  void add(CURL* easy, Completion& completion);
  void remove(CURL* easy);

  /// Lets libcurl look at all sockets it reads from once more in the next turn, as if they were readable.
  void look_again() { look_again_ = true; }

  /// Calls `call` on the loop in its next turn. Any thread.
  void post(std::function<void()> call);
  /// Calls `call` on the loop, outside every libcurl callback.
  void soon(std::function<void()> call) { soon_.push_back(std::move(call)); }

  using TimerId = std::multimap<SteadyTime, std::function<void()>>::iterator;
  TimerId at(SteadyTime when, std::function<void()> call) { return timers_.emplace(when, std::move(call)); }
  void forget(TimerId timer) { timers_.erase(timer); }

  /// How long the loop has waited in all because there was nothing to do. The rest of the time it worked, or wanted to
  /// and had no core.
  SteadyTime::duration waited() const;
  /// The kernel's number of the thread that runs it; 0 before.
  pid_t thread() const { return thread_; }

  /// Calls `readable` when `fd` has input. The descriptor stays the caller's.
  void watch(int fd, std::function<void()> readable);

  /// Suspends for `delay`, or until `cancel` (look at the token afterwards).
  class Sleep {
   public:
    Sleep(Reactor& reactor, Millis delay, CancelToken cancel) : reactor_(reactor), delay_(delay), cancel_(cancel) {}
    bool await_ready() const { return delay_.count() <= 0 || cancel_.cancelled(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> handle) {
      waiter_.handle = handle;
      waiter_.queue = handle.promise().queue;
      arm();
    }
    void await_resume() const {}

   private:
    void arm();
    Reactor& reactor_;
    Millis delay_;
    CancelToken cancel_;
    Waiter waiter_;
    TimerId timer_;
    CancelRegistration registration_;
  };
  Sleep sleep(Millis delay, CancelToken cancel) { return Sleep(*this, delay, cancel); }

 private:
  struct Watched {
    int fd;
    std::function<void()> readable;
  };

  void turn();
  void catch_up();
  void run_calls();
  void run_timers();
  void collect_finished();
  void look_at_sockets();
  Millis time_to_wait();
  void act(int fd, std::uint32_t events);
  void look_at_sockets_again();
  static int socket_callback(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int timer_callback(CURLM* multi, long milliseconds, void* self);

  const Clock& clock_;
  ReadyQueue ready_;
  int epoll_ = -1;
  int wake_ = -1;  ///< an eventfd
  CURLM* multi_ = nullptr;
  std::optional<SteadyTime> curl_due_;  ///< libcurl wants to look at its own timers
  std::multimap<SteadyTime, std::function<void()>> timers_;
  std::vector<std::function<void()>> soon_;
  std::vector<Watched> watched_;
  std::set<int> reading_;    ///< sockets that libcurl wants to read from
  bool look_again_ = false;  ///< at all of those
  std::atomic<pid_t> thread_{0};

  mutable std::mutex mutex_;
  struct {
    std::vector<std::function<void()>> mail;
    bool asleep = false;  ///< the loop waits, or is about to
    std::optional<SteadyTime> waits_since;
    SteadyTime::duration waited{};  ///< before that
  } locked_;                        ///< only under `mutex_`
};

}  // namespace hfpour
