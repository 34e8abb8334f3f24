// SPDX-License-Identifier: MIT
#include "run/wiring.h"

#include <fmt/core.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "run/cgroup.h"

namespace hfpour::run {

http::Leg make_leg(const std::string& ca_bundle, Millis stall_limit, Observer& observer) {
  http::Leg leg;
  leg.user_agent = "hfpour/" HFPOUR_VERSION;
  leg.ca_bundle = ca_bundle.empty() ? http::system_ca_bundle() : ca_bundle;
  leg.stall_limit = stall_limit;
  if (observer.tracing()) leg.trace = [&observer](const std::string& line) { observer.trace(line); };
  return leg;
}

Bytes resident_now() {
  // `/proc/self/statm` counts pages.
  std::ifstream statm("/proc/self/statm");
  Bytes total = 0;
  Bytes resident = 0;
  statm >> total >> resident;
  return resident * static_cast<Bytes>(sysconf(_SC_PAGESIZE));
}

Bytes room_for_listing(Bytes memory) {
  return std::max(memory - std::min(memory, resident_now()), memory / 2);
}

std::string this_process() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return fmt::format("{}/{}", printable(host.data(), 60), getpid());
}

double usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const bool known = sched_getaffinity(0, sizeof set, &set) == 0;  // more than 1,024 cores do not fit: all of them then
  const double here = known ? CPU_COUNT(&set) : std::max(std::thread::hardware_concurrency(), 1U);
  return std::min(here, cgroup_cores().value_or(here));
}

unsigned hash_threads() {
  return std::clamp(static_cast<unsigned>(std::ceil(usable_cores())), 1U, 8U);
}

}  // namespace hfpour::run
