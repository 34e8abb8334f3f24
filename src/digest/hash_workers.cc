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

HashWorkers::HashWorkers(Reactor& reactor, unsigned threads, HashPatience patience)
    : reactor_(reactor), patience_(patience) {
  try {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // As many as are granted.
  }
}

/// How long the first piece is.
std::size_t HashWorkers::Feed::front_size() const {
  return pieces_.front().size();
}

/// So many bytes of the first piece, which do not come again.
ByteView HashWorkers::Feed::take(std::size_t count) {
  const ByteView taken = pieces_.front().first(count);
  pieces_.front() = pieces_.front().subspan(count);
  if (pieces_.front().empty()) pieces_.erase(pieces_.begin());
  return taken;
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
    while (!feed.pieces_.empty()) digest({&feed});
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
      if (locked_.digests.empty()) locked_.digests_since = std::chrono::steady_clock::now();
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
         std::chrono::steady_clock::now() >= locked_.md5_since + patience_.md5;
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

/// So many of those that wait for a digest go together. Under `mutex_`; there is one.
std::size_t HashWorkers::digests_together() const {
  const std::deque<Feed*>& all = locked_.digests;
  return all.size() > 1 && all[0]->digest_->pairs() && all[1]->digest_->pairs() ? 2 : 1;
}

/// There is one, and nothing to wait for: it is not alone, or cannot pair, or has been alone for long. Under `mutex_`.
bool HashWorkers::digest_is_due() const {
  if (locked_.digests.empty()) return false;
  return locked_.closing || locked_.digests.size() > 1 || !locked_.digests.front()->digest_->pairs() ||
         locked_.go_alone > 0 || std::chrono::steady_clock::now() >= locked_.digests_since + patience_.pair;
}

/// Twice as many go alone after each wait in vain, and none once there was company. Under `mutex_`.
void HashWorkers::learn_of_pairs(std::size_t taken) {
  if (taken == 2) {
    locked_.go_alone = locked_.went_alone = 0;
  } else if (locked_.go_alone > 0) {
    --locked_.go_alone;
  } else {
    locked_.went_alone = std::clamp(locked_.went_alone * 2, 1U, longest_interval);
    locked_.go_alone = locked_.went_alone;
  }
}

/// When the patience for those that wait for company ends; there is one. Under `mutex_`.
std::chrono::steady_clock::time_point HashWorkers::end_of_patience() const {
  const auto never = std::chrono::steady_clock::time_point::max();
  return std::min(locked_.md5s.empty() ? never : locked_.md5_since + patience_.md5,
                  locked_.digests.empty() ? never : locked_.digests_since + patience_.pair);
}

/// What one worker does next: some pieces for MD5 abreast, or those for a digest or two; nothing when all is over.
std::vector<HashWorkers::Feed*> HashWorkers::next() {
  std::unique_lock lock(mutex_);
  while (!md5_is_due() && !digest_is_due()) {
    if (!locked_.md5s.empty() || !locked_.digests.empty()) {
      changed_.wait_until(lock, end_of_patience());
    } else if (locked_.closing) {
      return {};
    } else {
      changed_.wait(lock);
    }
  }
  // A digest goes first while it may: meanwhile more pieces for MD5 come together.
  const bool abreast = locked_.md5s.size() >= Md5::width || !digest_is_due();
  std::deque<Feed*>& queue = abreast ? locked_.md5s : locked_.digests;
  const auto count = static_cast<std::ptrdiff_t>(abreast ? std::min(queue.size(), Md5::width) : digests_together());
  std::vector<Feed*> feeds(queue.begin(), queue.begin() + count);
  queue.erase(queue.begin(), queue.begin() + count);
  if (abreast) {
    learn_from(feeds.size());
    locked_.md5_since = std::chrono::steady_clock::now();
  } else {
    if (feeds.front()->digest_->pairs()) learn_of_pairs(feeds.size());
    locked_.digests_since = std::chrono::steady_clock::now();
  }
  return feeds;
}

/// All pieces for MD5; of those for digests the first, or of two as much as both first pieces have.
void HashWorkers::digest(const std::vector<Feed*>& feeds) {
  Feed& first = *feeds.front();
  if (first.md5_ != nullptr) {
    std::vector<Md5::Feed> abreast;
    for (Feed* const feed : feeds) abreast.push_back(Md5::Feed{feed->md5_, feed->take(feed->front_size())});
    return Md5::update_abreast(abreast);
  }
  if (feeds.size() == 1) return first.digest_->update(first.take(first.front_size()));
  Feed& other = *feeds.back();
  const std::size_t both = std::min(first.front_size(), other.front_size());
  Digest::update_pair(*first.digest_, first.take(both), *other.digest_, other.take(both));
}

/// What is left of some goes back to where it came from, so that it can pair with whatever has come since. Gives the
/// others.
std::vector<HashWorkers::Feed*> HashWorkers::put_back(std::vector<Feed*> feeds) {
  // Not that of std::ranges: clang 14 cannot compile what gcc 12's library gives back.
  const auto done = [](const Feed* feed) { return feed->pieces_.empty(); };
  const auto finished = std::stable_partition(feeds.begin(), feeds.end(), done);
  const std::vector<Feed*> left(finished, feeds.end());
  if (!left.empty()) {
    const std::lock_guard lock(mutex_);
    if (locked_.digests.empty()) locked_.digests_since = std::chrono::steady_clock::now();
    locked_.digests.insert(locked_.digests.begin(), left.begin(), left.end());
  }
  feeds.erase(finished, feeds.end());
  return feeds;
}

void HashWorkers::work() {
  pthread_setname_np(pthread_self(), "hash");  // for people who look at the threads
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);  // never in the way of a loop that was woken
  for (std::vector<Feed*> feeds = next(); !feeds.empty(); feeds = next()) {
    digest(feeds);
    feeds = put_back(std::move(feeds));
    if (feeds.empty()) continue;
    reactor_.post([feeds] {
      for (const Feed* const feed : feeds) feed->waiter_.resume();
    });
  }
}

}  // namespace hfpour
