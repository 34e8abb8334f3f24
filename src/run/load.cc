// SPDX-License-Identifier: MIT
#include "run/load.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace hfpour::run {
namespace {

std::chrono::duration<double> seconds_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

/// The second number of the thread's schedstat: nanoseconds in a run queue. 0 where the kernel does not count them.
std::chrono::nanoseconds time_in_queue(pid_t thread) {
  std::ifstream stat(fmt::format("/proc/self/task/{}/schedstat", thread));
  std::chrono::nanoseconds::rep ran = 0;
  std::chrono::nanoseconds::rep queued = 0;
  stat >> ran >> queued;
  return std::chrono::nanoseconds(queued);
}

}  // namespace

Load::Load(std::vector<const Reactor*> loops, double cores) : loops_(std::move(loops)), cores_(cores), last_(read()) {
}

Load::Reading Load::read() const {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Reading reading{loops_.front()->clock().now(), {}, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)};
  // A wait that was over, but for a core to go on with, was none.
  for (const Reactor* const loop : loops_) reading.idle.emplace_back(loop->waited() - time_in_queue(loop->thread()));
  return reading;
}

double Load::look() {
  const Reading before = std::exchange(last_, read());
  const std::chrono::duration<double> passed = last_.now - before.now;
  if (passed.count() <= 0) return 0;
  double load = (last_.cpu - before.cpu) / (passed * cores_);
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    load = std::max(load, 1 - (last_.idle[i] - before.idle[i]) / passed);
  }
  return std::clamp(load, 0.0, 1.0);
}

}  // namespace hfpour::run
