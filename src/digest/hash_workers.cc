// SPDX-License-Identifier: MIT
#include "digest/hash_workers.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <system_error>

namespace hfpour {
namespace {

/// A wait in vain holds one stream up; company that is not waited for costs a core up to eight times as much.
constexpr unsigned shortest_interval = 16;
constexpr unsigned longest_interval = 256;

}  // namespace

HashWorkers::HashWorkers(Reactor& reactor, unsigned threads, Millis md5_patience)
    : reactor_(reactor), md5_patience_(md5_patience) {
  try {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // As many as are granted.
  }
}

HashWorkers::~HashWorkers() {
  {
    const std::lock_guard lock(mutex_);
    locked_.closing = true;
  }
  changed_.notify_all();
}

void HashWorkers::submit(Feed& feed) {
  if (threads_.empty()) {
    digest({&feed});
    return feed.waiter_.resume();
  }
  bool news = true;
  {
    const std::lock_guard lock(mutex_);
    if (feed.md5_ != nullptr) {
      if (locked_.md5s.empty()) locked_.md5_since = std::chrono::steady_clock::now();
      locked_.md5s.push_back(&feed);
      news = locked_.md5s.size() == 1 || md5_is_due();  // one worker keeps the time, the others need not look
    } else {
      locked_.digests.push_back(&feed);
    }
  }
  if (news) changed_.notify_one();
}

void HashWorkers::count_md5_streams(int more) {
  const std::lock_guard lock(mutex_);
  locked_.md5_streams += more;
}

/// Pieces of all streams, unless some have had none for a while: their rings are full, or their source is slow. Under
/// `mutex_`.
std::size_t HashWorkers::worth_waiting_for() const {
  const std::size_t streams = static_cast<std::size_t>(std::max(locked_.md5_streams, 1));
  return std::min({streams, locked_.company, Md5::width});
}

/// Those that are worth waiting for are here, or the first has waited long enough. Under `mutex_`.
bool HashWorkers::md5_is_due() const {
  if (locked_.md5s.empty()) return false;
  return locked_.closing || locked_.md5s.size() >= worth_waiting_for() ||
         std::chrono::steady_clock::now() >= locked_.md5_since + md5_patience_;
}

/// One less is waited for after each wait in vain, one more after some groups that were complete in time, and after
/// the more of them the more often that was in vain. Under `mutex_`.
void HashWorkers::learn_from(std::size_t taken) {
  if (taken < worth_waiting_for()) {
    locked_.company = worth_waiting_for() - 1;
    locked_.interval = std::clamp(locked_.interval * 4, shortest_interval, longest_interval);
    locked_.in_time = 0;
  } else if (locked_.company < Md5::width && ++locked_.in_time >= locked_.interval) {
    ++locked_.company;
    locked_.interval = std::max(locked_.interval / 2, shortest_interval);
    locked_.in_time = 0;
  }
}

/// What one worker does next: some pieces for MD5 abreast, or one for a digest; nothing when all is over.
std::vector<HashWorkers::Feed*> HashWorkers::next() {
  std::unique_lock lock(mutex_);
  while (!md5_is_due() && locked_.digests.empty()) {
    if (!locked_.md5s.empty()) {
      changed_.wait_until(lock, locked_.md5_since + md5_patience_);
    } else if (locked_.closing) {
      return {};
    } else {
      changed_.wait(lock);
    }
  }
  // A digest goes first while it may: meanwhile more pieces for MD5 come together.
  const bool abreast = locked_.md5s.size() >= Md5::width || locked_.digests.empty();
  std::deque<Feed*>& queue = abreast ? locked_.md5s : locked_.digests;
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue.size(), abreast ? Md5::width : 1));
  std::vector<Feed*> feeds(queue.begin(), queue.begin() + count);
  queue.erase(queue.begin(), queue.begin() + count);
  if (abreast) {
    learn_from(feeds.size());
    locked_.md5_since = std::chrono::steady_clock::now();
  }
  return feeds;
}

void HashWorkers::digest(const std::vector<Feed*>& feeds) {
  if (feeds.front()->digest_ != nullptr) {
    for (const ByteView piece : feeds.front()->pieces_) feeds.front()->digest_->update(piece);
    return;
  }
  std::vector<Md5::Feed> abreast;
  for (const Feed* const feed : feeds) abreast.push_back(Md5::Feed{feed->md5_, feed->pieces_.front()});
  Md5::update_abreast(abreast);
}

void HashWorkers::work() {
  pthread_setname_np(pthread_self(), "hash");  // for people who look at the threads
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);  // never in the way of a loop that was woken
  for (std::vector<Feed*> feeds = next(); !feeds.empty(); feeds = next()) {
    digest(feeds);
    reactor_.post([feeds] {
      for (const Feed* const feed : feeds) feed->waiter_.resume();
    });
  }
}

}  // namespace hfpour
