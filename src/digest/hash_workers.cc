// SPDX-License-Identifier: MIT
#include "digest/hash_workers.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>

namespace hfpour {

HashWorkers::HashWorkers(Reactor& reactor, unsigned threads, Millis md5_patience)
    : reactor_(reactor), md5_patience_(md5_patience) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

HashWorkers::~HashWorkers() {
  {
    const std::lock_guard lock(mutex_);
    locked_.closing = true;
  }
  changed_.notify_all();
}

void HashWorkers::submit(Feed& feed) {
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

/// All streams that could go abreast are here, or the first has waited long enough. Under `mutex_`.
bool HashWorkers::md5_is_due() const {
  if (locked_.md5s.empty()) return false;
  const std::size_t streams = static_cast<std::size_t>(std::max(locked_.md5_streams, 1));
  return locked_.closing || locked_.md5s.size() >= std::min(streams, Md5::width) ||
         std::chrono::steady_clock::now() >= locked_.md5_since + md5_patience_;
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
  if (abreast) locked_.md5_since = std::chrono::steady_clock::now();
  return feeds;
}

void HashWorkers::digest(const std::vector<Feed*>& feeds) {
  if (feeds.front()->digest_ != nullptr) {
    feeds.front()->digest_->update(feeds.front()->bytes_);
    return;
  }
  std::vector<Md5::Feed> abreast;
  for (const Feed* const feed : feeds) abreast.push_back(Md5::Feed{feed->md5_, feed->bytes_});
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
