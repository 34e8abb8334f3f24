// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "digest/digest.h"
#include "loop/reactor.h"

namespace hfpour {

/// Threads that feed lent bytes to lent digests, so that the loop does not have to.
///
/// `co_await workers.feed(bytes, a, b)`: the coroutine goes on when both digests have taken the bytes. Until then
/// bytes and digests must not be touched. Create and await on the loop thread; destroy when nothing is under way.
class HashWorkers {
 public:
  HashWorkers(Reactor& reactor, unsigned threads);
  HashWorkers(const HashWorkers&) = delete;
  HashWorkers& operator=(const HashWorkers&) = delete;
  ~HashWorkers();

  class Feed {
   public:
    Feed(HashWorkers& workers, ByteView bytes, Digest* first, Digest* second)
        : workers_(workers), bytes_(bytes), first_(first), second_(second) {}
    bool await_ready() const { return bytes_.empty() || (first_ == nullptr && second_ == nullptr); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> handle) {
      waiter_.handle = handle;
      waiter_.queue = handle.promise().queue;
      workers_.submit(*this);
    }
    void await_resume() const {}

   private:
    friend class HashWorkers;
    HashWorkers& workers_;
    ByteView bytes_;
    Digest* first_;
    Digest* second_;
    Waiter waiter_;
  };

  /// Either digest may be null.
  Feed feed(ByteView bytes, Digest* first, Digest* second) { return Feed(*this, bytes, first, second); }

 private:
  void submit(Feed& feed);
  void work();

  Reactor& reactor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  struct {
    std::deque<Feed*> feeds;
    bool closing = false;
  } locked_;  ///< only under `mutex_`
  std::vector<std::jthread> threads_;
};

}  // namespace hfpour
