// SPDX-License-Identifier: MIT
#pragma once

#include "loop/reactor.h"

namespace hfpour::run {

/// How full the cores are that this process may use. Loop thread.
class Load {
 public:
  /// `cores` may be a fraction, as a cgroup allows it. The reactor outlives this.
  Load(const Reactor& reactor, double cores);

  /// Since the last look, 0 to 1: the share of the time in which the loop had work, also when it waited for a core, or
  /// the share of the cores' time that all threads together took, whichever is more.
  double look();

 private:
  struct Reading {
    SteadyTime now;
    SteadyTime::duration waited;
    std::chrono::nanoseconds queued;  ///< the loop's thread could have run and had no core
    std::chrono::duration<double> cpu;
  };
  Reading read() const;

  const Reactor& reactor_;
  double cores_;
  Reading last_;
};

}  // namespace hfpour::run
