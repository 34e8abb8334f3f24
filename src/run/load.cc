// SPDX-License-Identifier: MIT
#include "run/load.h"

#include <sys/resource.h>

#include <algorithm>

namespace hfpour::run {
namespace {

std::chrono::duration<double> seconds_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

Load::Load(const Reactor& reactor, double cores) : reactor_(reactor), cores_(cores), last_(read()) {
}

Load::Reading Load::read() const {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Reading{reactor_.clock().now(), reactor_.waited(), seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)};
}

double Load::look() {
  const Reading before = std::exchange(last_, read());
  const std::chrono::duration<double> passed = last_.now - before.now;
  if (passed.count() <= 0) return 0;
  const std::chrono::duration<double> waited = last_.waited - before.waited;
  const double loop = 1 - waited / passed;
  const double cores = (last_.cpu - before.cpu) / (passed * cores_);
  return std::clamp(std::max(loop, cores), 0.0, 1.0);
}

}  // namespace hfpour::run
