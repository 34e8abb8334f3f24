// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "loop/reactor.h"

namespace hfpour::run {

/// How full the cores are that this process may use. Loop thread.
class Load {
 public:
  /// `cores` may be a fraction, as a cgroup allows it. The loops outlive this.
  Load(std::vector<const Reactor*> loops, double cores);

  /// Since the last look, 0 to 1: the share of the time in which the busiest loop had work, also when it waited for a
  /// core, or the share of the cores' time that all threads together took, whichever is more.
  double look();

 private:
  struct Reading {
    SteadyTime now;
    std::vector<std::chrono::duration<double>> idle;  ///< of each loop: it had nothing to do
    std::chrono::duration<double> cpu;
  };
  Reading read() const;

  std::vector<const Reactor*> loops_;
  double cores_;
  Reading last_;
};

}  // namespace hfpour::run
