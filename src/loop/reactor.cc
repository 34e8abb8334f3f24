// SPDX-License-Identifier: MIT
#include "loop/reactor.h"

#include <algorithm>
#include <cassert>

namespace hfpour {

namespace {
constexpr Millis longest_wait{1000};
constexpr long idle_connections = 256;  ///< kept open for reuse; lanes times two legs stay well below
}  // namespace

Reactor::Reactor(const Clock& clock) : clock_(clock) {
  // Safe here: no other thread exists before the reactor does.
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  assert(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

Reactor::~Reactor() {
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

void Reactor::add(CURL* easy, Completion& completion) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &completion);
  const CURLMcode added = curl_multi_add_handle(multi_, easy);
  assert(added == CURLM_OK);
  (void)added;
}

void Reactor::remove(CURL* easy) {
  curl_multi_remove_handle(multi_, easy);
}

void Reactor::post(std::function<void()> call) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = locked_.mail.empty();
    locked_.mail.push_back(std::move(call));
  }
  if (first) curl_multi_wakeup(multi_);
}

void Reactor::watch(int fd, std::function<void()> readable) {
  watched_.push_back(Watched{fd, std::move(readable)});
}

void Reactor::turn() {
  run_calls();
  ready_.drain();
  int running = 0;
  curl_multi_perform(multi_, &running);
  collect_finished();
  run_timers();
  run_calls();
  ready_.drain();
}

void Reactor::run_calls() {
  std::vector<std::function<void()>> mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(locked_.mail);
  }
  for (const auto& call : mail) call();
  for (const auto& call : std::exchange(soon_, {})) call();
}

void Reactor::run_timers() {
  const SteadyTime now = clock_.now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const std::function<void()> call = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    call();
  }
}

void Reactor::collect_finished() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Completion* completion = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &completion);
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_, message->easy_handle);
    completion->on_done(code);
  }
}

void Reactor::wait_for_something() {
  if (!ready_.empty() || !soon_.empty()) return;
  Millis wait = longest_wait;
  if (!timers_.empty()) {
    const auto left = std::chrono::ceil<Millis>(timers_.begin()->first - clock_.now());
    wait = std::clamp(left, Millis(0), longest_wait);
  }
  std::vector<curl_waitfd> extra;
  for (const Watched& watched : watched_) extra.push_back(curl_waitfd{watched.fd, CURL_WAIT_POLLIN, 0});
  int events = 0;
  const SteadyTime begun = clock_.now();
  curl_multi_poll(multi_, extra.data(), static_cast<unsigned>(extra.size()), static_cast<int>(wait.count()), &events);
  waited_ += clock_.now() - begun;
  for (std::size_t i = 0; i < extra.size(); ++i) {
    if ((extra[i].revents & CURL_WAIT_POLLIN) != 0) watched_[i].readable();
  }
}

void Reactor::Sleep::arm() {
  timer_ = reactor_.at(reactor_.clock().now() + delay_, [this] {
    registration_.reset();
    waiter_.resume();
  });
  registration_ = CancelRegistration(cancel_, [this] {
    reactor_.forget(timer_);
    waiter_.resume();
  });
}

}  // namespace hfpour
