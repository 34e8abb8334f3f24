// SPDX-License-Identifier: MIT
#include "loop/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <span>
#include <utility>

namespace hfpour {

namespace {
constexpr Millis longest_wait{1000};
constexpr std::size_t most_events = 64;  ///< looked at in one turn; the others come with the next
constexpr long idle_connections = 256;   ///< kept open for reuse; lanes times two legs stay well below
}  // namespace

Reactor::Reactor(const Clock& clock)
    : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // Safe here: no other thread exists before the reactor does.
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  assert(multi_ != nullptr && epoll_ >= 0 && wake_ >= 0);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Reactor::socket_callback);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Reactor::timer_callback);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  watch(wake_, [this] {
    eventfd_t count = 0;
    eventfd_read(wake_, &count);
  });
}

Reactor::~Reactor() {
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
  close(wake_);
  close(epoll_);
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
  bool asleep = false;
  {
    const std::lock_guard lock(mutex_);
    locked_.mail.push_back(std::move(call));
    asleep = std::exchange(locked_.asleep, false);
  }
  if (asleep) eventfd_write(wake_, 1);
}

SteadyTime::duration Reactor::waited() const {
  const std::lock_guard lock(mutex_);
  return locked_.waited + (locked_.waits_since ? clock_.now() - *locked_.waits_since : SteadyTime::duration());
}

void Reactor::watch(int fd, std::function<void()> readable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  watched_.push_back(Watched{fd, std::move(readable)});
}

/// Between two of them, `catch_up` does what these calls brought about.
void Reactor::turn() {
  look_at_sockets_again();
  look_at_sockets();
  collect_finished();
  run_timers();
  catch_up();
}

void Reactor::catch_up() {
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

/// Not at all when there is something to do.
Millis Reactor::time_to_wait() {
  if (!ready_.empty() || !soon_.empty() || look_again_) return Millis(0);
  SteadyTime next = clock_.now() + longest_wait;
  if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
  if (curl_due_) next = std::min(next, *curl_due_);
  const Millis wait = std::max(Millis(0), std::chrono::ceil<Millis>(next - clock_.now()));
  const std::lock_guard lock(mutex_);
  if (wait.count() == 0 || !locked_.mail.empty()) return Millis(0);
  locked_.asleep = true;
  locked_.waits_since = clock_.now();
  return wait;
}

/// Waits until something happens, and lets libcurl see to it.
void Reactor::look_at_sockets() {
  std::array<epoll_event, most_events> events;
  const Millis wait = time_to_wait();
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(wait.count()));
  if (wait.count() > 0) {
    const std::lock_guard lock(mutex_);
    locked_.asleep = false;
    locked_.waited += clock_.now() - *std::exchange(locked_.waits_since, std::nullopt);
  }
  for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(std::max(count, 0)))) {
    act(event.data.fd, event.events);
    catch_up();  // so that other threads can begin with what this one brought, while the next is looked at
  }
  if (!curl_due_ || *curl_due_ > clock_.now()) return;
  curl_due_.reset();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

void Reactor::look_at_sockets_again() {
  if (!std::exchange(look_again_, false)) return;
  const std::vector<int> sockets(reading_.begin(), reading_.end());
  for (const int socket : sockets) {
    if (reading_.contains(socket)) act(socket, EPOLLIN);  // unless one of the others has brought it to an end
  }
}

void Reactor::act(int fd, std::uint32_t events) {
  for (const Watched& watched : watched_) {
    if (watched.fd == fd) return watched.readable();
  }
  int what = 0;
  if ((events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
  int running = 0;
  curl_multi_socket_action(multi_, fd, what, &running);
}

/// libcurl says what it wants to hear of a socket.
int Reactor::socket_callback(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  Reactor& reactor = *static_cast<Reactor*>(self);
  if ((what & CURL_POLL_IN) == 0) reactor.reading_.erase(socket);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(reactor.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  if ((what & CURL_POLL_IN) != 0) reactor.reading_.insert(socket);
  epoll_event event{};
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  event.data.fd = socket;
  epoll_ctl(reactor.epoll_, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
  if (known == nullptr) curl_multi_assign(reactor.multi_, socket, self);
  return 0;
}

/// When libcurl wants to be called, from now on; negative: not at all.
int Reactor::timer_callback(CURLM*, long milliseconds, void* self) {
  Reactor& reactor = *static_cast<Reactor*>(self);
  reactor.curl_due_.reset();
  if (milliseconds >= 0) reactor.curl_due_ = reactor.clock_.now() + Millis(milliseconds);
  return 0;
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
