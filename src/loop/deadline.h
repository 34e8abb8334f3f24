// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "loop/reactor.h"

namespace hfpour {

/// A token that is cancelled after a while, with `why`, or when its parent is. Without a parent it is for clean-up,
/// which must not be stopped by what it cleans up after, and must not last for ever either. Loop thread; outlives the
/// work that uses its token.
class Deadline {
 public:
  Deadline(Reactor& reactor, Millis limit, CancelToken parent = CancelToken(),
           Error why = Error(Kind::cancelled, "clean-up took too long"))
      : reactor_(reactor), source_(parent), why_(std::move(why)) {
    timer_ = reactor.at(reactor.clock().now() + limit, [this] {
      armed_ = false;
      source_.cancel(why_);
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    if (armed_) reactor_.forget(timer_);
  }

  CancelToken token() { return source_.token(); }

 private:
  Reactor& reactor_;
  CancelSource source_;
  Error why_;
  Reactor::TimerId timer_;
  bool armed_ = true;
};

/// A token that is cancelled a while after its parent is: for a request whose answer must not be lost, such as one that
/// creates something that would have to be removed. Loop thread; outlives the work that uses its token.
class Grace {
 public:
  Grace(Reactor& reactor, CancelToken parent, Millis grace)
      : reactor_(reactor), parent_(parent), registration_(parent, [this, grace] { begin(grace); }) {
    if (parent.cancelled()) begin(grace);
  }
  Grace(const Grace&) = delete;
  Grace& operator=(const Grace&) = delete;
  ~Grace() {
    if (timer_) reactor_.forget(*timer_);
  }

  CancelToken token() { return source_.token(); }

 private:
  void begin(Millis grace) {
    timer_ = reactor_.at(reactor_.clock().now() + grace, [this] {
      timer_.reset();
      source_.cancel(parent_.error());
    });
  }

  Reactor& reactor_;
  CancelToken parent_;
  CancelSource source_;
  std::optional<Reactor::TimerId> timer_;
  CancelRegistration registration_;
};

}  // namespace hfpour
