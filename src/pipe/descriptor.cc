// SPDX-License-Identifier: MIT
#include "pipe/descriptor.h"

#include <fmt/core.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace hfpour {
namespace {

constexpr std::string_view gone = "EPIPE";
/// A signal that arrives just before the call blocks is lost, so it is sent again until the thread has let go.
constexpr Millis interrupt_interval{10};

void do_nothing(int) {
}

/// Lets SIGURG end a call that blocks.
void make_interruptible() {
  struct sigaction action {};
  action.sa_handler = do_nothing;  // and no SA_RESTART
  sigaction(SIGURG, &action, nullptr);
}

}  // namespace

Descriptor::Descriptor(Reactor& reactor, int fd, std::string name)
    : reactor_(reactor), fd_(fd), name_(std::move(name)) {
  make_interruptible();
  thread_ = std::jthread([this] { work(); });
}

Descriptor::~Descriptor() {
  {
    const std::lock_guard lock(mutex_);
    locked_.closing = true;
  }
  changed_.notify_all();
}

Task<Result<void>> Descriptor::write(ByteView bytes, CancelToken cancel) {
  Work work;
  work.from = bytes.data();
  work.length = bytes.size();
  Result<Bytes> written = co_await perform(work, cancel);
  if (!written) co_return written.error();
  co_return Result<void>();
}

Task<Result<Bytes>> Descriptor::fill(std::span<std::byte> buffer, CancelToken cancel) {
  Work work;
  work.into = buffer.data();
  work.length = buffer.size();
  Result<Bytes> filled = co_await perform(work, cancel);
  co_return filled;
}

Task<Result<Bytes>> Descriptor::perform(Work work, CancelToken cancel) {
  if (cancel.cancelled()) co_return cancel.error();
  if (work.length == 0) co_return Bytes(0);
  interrupted_ = false;
  finished_.reset();
  {
    const std::lock_guard lock(mutex_);
    locked_.work = work;
  }
  changed_.notify_one();
  const CancelRegistration stop(cancel, [this] { interrupt(); });
  // The bytes are lent to the thread: nothing ends before it has let go of them.
  while (!finished_) co_await ended_.wait(CancelToken());
  if (again_) reactor_.forget(*again_);
  again_.reset();
  if (finished_->error == ECANCELED && cancel.cancelled()) co_return cancel.error();
  if (finished_->error != 0) co_return explain(finished_->error, work.from != nullptr);
  co_return finished_->done;
}

void Descriptor::interrupt() {
  interrupted_ = true;
  pthread_kill(thread_.native_handle(), SIGURG);
  again_ = reactor_.at(reactor_.clock().now() + interrupt_interval, [this] { interrupt(); });
}

void Descriptor::work() {
  while (true) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return locked_.closing || locked_.work; });
      if (!locked_.work) return;
      work = *std::exchange(locked_.work, std::nullopt);
    }
    carry_out(work);
    reactor_.post([this, work] {
      finished_ = work;
      ended_.notify();
    });
  }
}

void Descriptor::carry_out(Work& work) {
  while (work.done < work.length) {
    if (interrupted_) {
      work.error = ECANCELED;
      return;
    }
    const Bytes left = work.length - work.done;
    const ssize_t moved =
        work.from != nullptr ? ::write(fd_, work.from + work.done, left) : ::read(fd_, work.into + work.done, left);
    if (moved > 0) {
      work.done += static_cast<Bytes>(moved);
    } else if (moved == 0) {
      return;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Somebody else made the description non-blocking: wait for it here.
      pollfd waiting{fd_, static_cast<short>(work.from != nullptr ? POLLOUT : POLLIN), 0};
      poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      work.error = errno;
      return;
    }
  }
}

Error Descriptor::explain(int number, bool writing) const {
  if (writing && number == EPIPE) {
    Error error(Kind::cancelled, fmt::format("the reader of {} has left", name_));
    error.code = gone;
    return error;
  }
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  const bool unusable = number == EBADF || number == EISDIR;
  const Kind kind = full ? Kind::quota : unusable ? Kind::usage : Kind::internal;
  return Error(kind, fmt::format("{} cannot be {}: {}", name_, writing ? "written" : "read", std::strerror(number)));
}

bool reader_left(const Error& error) {
  return error.code == gone;
}

}  // namespace hfpour
