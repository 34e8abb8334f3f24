// SPDX-License-Identifier: MIT
#pragma once

#include "loop/reactor.h"

namespace hfpour {

/// A token of its own that is cancelled after a while: clean-up must not be stopped by what it cleans up after, and must
/// not last for ever either. Loop thread; outlives the work that uses its token.
class Deadline {
 public:
  Deadline(Reactor& reactor, Millis limit) : reactor_(reactor) {
    timer_ = reactor.at(reactor.clock().now() + limit, [this] {
      armed_ = false;
      source_.cancel(Error(Kind::timeout, "clean-up took too long"));
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
  Reactor::TimerId timer_;
  bool armed_ = true;
};

}  // namespace hfpour
