// SPDX-License-Identifier: MIT
#include "run/load.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

namespace hfpour::run {
namespace {

std::chrono::duration<double> seconds_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

/// The second number of the thread's schedstat: nanoseconds in a run queue. 0 where the kernel does not count them.
std::chrono::nanoseconds time_in_queue() {
  std::ifstream stat("/proc/thread-self/schedstat");
  std::chrono::nanoseconds::rep ran = 0;
  std::chrono::nanoseconds::rep queued = 0;
  stat >> ran >> queued;
  return std::chrono::nanoseconds(queued);
}

}  // namespace

Load::Load(const Reactor& reactor, double cores) : reactor_(reactor), cores_(cores), last_(read()) {
}

Load::Reading Load::read() const {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Reading{reactor_.clock().now(), reactor_.waited(), time_in_queue(),
                 seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)};
}

double Load::look() {
  const Reading before = std::exchange(last_, read());
  const std::chrono::duration<double> passed = last_.now - before.now;
  if (passed.count() <= 0) return 0;
  // A wait that was over, but for a core to go on with, was none.
  const std::chrono::duration<double> waited = last_.waited - before.waited - (last_.queued - before.queued);
  const double loop = 1 - waited / passed;
  const double cores = (last_.cpu - before.cpu) / (passed * cores_);
  return std::clamp(std::max(loop, cores), 0.0, 1.0);
}

}  // namespace hfpour::run
