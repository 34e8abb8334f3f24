// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <functional>
#include <vector>

#include "loop/reactor.h"

namespace hfpour {

/// Turns signals into calls on the loop, and ignores SIGPIPE. Construct before any thread starts: the signals are
/// blocked for the whole process and read from a descriptor.
class Signals {
 public:
  explicit Signals(const std::vector<int>& numbers);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  /// Calls `on_signal(number)` on the loop of `reactor` for each one received.
  void deliver_to(Reactor& reactor, std::function<void(int)> on_signal);

 private:
  int fd_ = -1;
};

}  // namespace hfpour
