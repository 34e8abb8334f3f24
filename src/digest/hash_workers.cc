// SPDX-License-Identifier: MIT
#include "digest/hash_workers.h"

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
    locked_.feeds.push_back(&feed);
  }
  changed_.notify_one();
}

void HashWorkers::work() {
  while (true) {
    Feed* feed = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return locked_.closing || !locked_.feeds.empty(); });
      if (locked_.feeds.empty()) return;
      feed = locked_.feeds.front();
      locked_.feeds.pop_front();
    }
    if (feed->first_ != nullptr) feed->first_->update(feed->bytes_);
    if (feed->second_ != nullptr) feed->second_->update(feed->bytes_);
    reactor_.post([waiter = feed->waiter_] { waiter.resume(); });
  }
}

}  // namespace hfpour
