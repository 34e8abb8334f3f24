// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "digest/digest.h"
#include "digest/md5.h"
#include "loop/reactor.h"

namespace hfpour {

/// How long a piece waits for those of other streams, as long as that was not in vain lately.
struct HashPatience {
  /// A stream of the measured edge brings a bite in 9 ms (contract hub §3.9); even the shortest ring holds three
  /// more.
  Millis md5{10};
  /// A file's hash has only one piece at a time, which the next one waits for (docs/performance.md).
  Millis pair{1};
};

/// Threads that feed lent bytes to lent digests, so that the loop does not have to.
///
/// `co_await workers.feed(bytes, digest)`: the coroutine goes on when the digest has taken the bytes. Until then bytes
/// and digest must not be touched. A piece waits a moment for those of other streams, so that they go abreast: up to
/// eight for MD5, two for digests that pair. Create and await on the loop thread; destroy when nothing is under way.
class HashWorkers {
 public:
  /// Starts `threads` threads, or as many as the system grants (a limit of processes counts them, too); with none the
  /// loop hashes by itself. (libcurl wants one for each name it looks up, and says so when there is none.)
  HashWorkers(Reactor& reactor, unsigned threads, HashPatience patience = HashPatience());
  HashWorkers(const HashWorkers&) = delete;
  HashWorkers& operator=(const HashWorkers&) = delete;
  ~HashWorkers();

  class Feed {
   public:
    Feed(HashWorkers& workers, std::vector<ByteView> pieces, Digest& digest)
        : workers_(workers), pieces_(std::move(pieces)), digest_(&digest) {}
    Feed(HashWorkers& workers, ByteView bytes, Md5& md5) : workers_(workers), pieces_({bytes}), md5_(&md5) {}
    bool await_ready() const { return pieces_.empty() || pieces_.front().empty(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> handle) {
      waiter_.handle = handle;
      waiter_.queue = handle.promise().queue;
      workers_.submit(*this);
    }
    void await_resume() const {}

   private:
    friend class HashWorkers;
    std::size_t front_size() const;
    ByteView take(std::size_t count);

    HashWorkers& workers_;
    std::vector<ByteView> pieces_;
    Digest* digest_ = nullptr;  ///< either this one
    Md5* md5_ = nullptr;        ///< or that one
    Waiter waiter_;
  };

  /// Says that one more stream is being fed to an MD5, for as long as this lives.
  class Md5Stream {
   public:
    explicit Md5Stream(HashWorkers& workers) : workers_(workers) { workers_.count_md5_streams(+1); }
    Md5Stream(const Md5Stream&) = delete;
    Md5Stream& operator=(const Md5Stream&) = delete;
    ~Md5Stream() { workers_.count_md5_streams(-1); }

   private:
    HashWorkers& workers_;
  };

  Feed feed(ByteView bytes, Digest& digest) { return Feed(*this, {bytes}, digest); }
  /// Several pieces, in this order.
  Feed feed(std::vector<ByteView> pieces, Digest& digest) { return Feed(*this, std::move(pieces), digest); }
  Feed feed(ByteView bytes, Md5& md5) { return Feed(*this, bytes, md5); }

 private:
  void submit(Feed& feed);
  void work();
  std::vector<Feed*> next();
  bool md5_is_due() const;
  std::size_t worth_waiting_for() const;
  std::size_t digests_together() const;
  bool digest_is_due() const;
  void learn_of_pairs(std::size_t taken);
  std::chrono::steady_clock::time_point end_of_patience() const;
  void learn_from(std::size_t taken);
  void count_md5_streams(int more);
  static void digest(const std::vector<Feed*>& feeds);
  std::vector<Feed*> put_back(std::vector<Feed*> feeds);

  Reactor& reactor_;
  const HashPatience patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  struct {
    std::deque<Feed*> digests;
    std::chrono::steady_clock::time_point digests_since;  ///< the first of them has waited since then or longer
    unsigned went_alone = 0;                              ///< after the latest wait in vain for one to pair with
    unsigned go_alone = 0;                                ///< of these, so many are still to come
    std::deque<Feed*> md5s;
    std::chrono::steady_clock::time_point md5_since;  ///< when the first of `md5s` came
    int md5_streams = 0;
    std::size_t company = Md5::width;  ///< so many pieces lately came in time to go abreast
    unsigned interval = 0;             ///< groups in time before one more piece is waited for
    unsigned in_time = 0;              ///< of these, so many have been
    bool closing = false;
  } locked_;  ///< only under `mutex_`
  std::vector<std::jthread> threads_;
};

}  // namespace hfpour
