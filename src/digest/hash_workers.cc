// SPDX-License-Identifier: MIT
#include "digest/hash_workers.h"

#include <algorithm>

namespace hfpour {

HashWorkers::HashWorkers(Reactor& reactor, unsigned threads) : reactor_(reactor) {
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
  {
    const std::lock_guard lock(mutex_);
    (feed.md5_ != nullptr ? locked_.md5s : locked_.digests).push_back(&feed);
  }
  changed_.notify_one();
}

/// What one worker does next: a piece for a digest, or some for MD5 abreast; nothing when all is over.
std::vector<HashWorkers::Feed*> HashWorkers::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return locked_.closing || !locked_.digests.empty() || !locked_.md5s.empty(); });
  // A digest first: meanwhile more pieces for MD5 may come together.
  const bool abreast = locked_.md5s.size() >= Md5::width || locked_.digests.empty();
  std::deque<Feed*>& queue = abreast ? locked_.md5s : locked_.digests;
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue.size(), abreast ? Md5::width : 1));
  std::vector<Feed*> feeds(queue.begin(), queue.begin() + count);
  queue.erase(queue.begin(), queue.begin() + count);
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
  for (std::vector<Feed*> feeds = next(); !feeds.empty(); feeds = next()) {
    digest(feeds);
    for (Feed* const feed : feeds) {
      reactor_.post([waiter = feed->waiter_] { waiter.resume(); });
    }
  }
}

}  // namespace hfpour
