// SPDX-License-Identifier: MIT
#include "run/cgroup.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace hfpour;
using namespace hfpour::run;

namespace {

/// A machine's `/proc` and `/sys` in a folder of its own.
class Machine {
 public:
  Machine() {
    std::string name = (std::filesystem::temp_directory_path() / "cgroup-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { std::filesystem::remove_all(root_); }

  Machine& with(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return *this;
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace

TEST_CASE("cgroup: nothing is known, nothing is limited") {
  const Machine machine;
  CHECK(!cgroup_limit(machine.root()));
  CHECK(default_ceiling(machine.root()) == 256 * MiB);
}

TEST_CASE("cgroup: version 2, the process's own cgroup and its ancestors, the least of them") {
  Machine machine;
  machine.with("/proc/self/cgroup", "0::/pods/one/box\n")
      .with("/sys/fs/cgroup/pods/one/box/memory.max", "max\n")
      .with("/sys/fs/cgroup/pods/one/memory.max", "200000000\n")
      .with("/sys/fs/cgroup/pods/memory.max", "100000000\n");
  CHECK(cgroup_limit(machine.root()) == 100'000'000U);
  machine.with("/sys/fs/cgroup/pods/one/box/memory.max", "80000000\n");
  CHECK(cgroup_limit(machine.root()) == 80'000'000U);
  CHECK(default_ceiling(machine.root()) == 40'000'000U);
  machine.with("/sys/fs/cgroup/pods/other/memory.max", "1000\n");  // a neighbour's
  CHECK(cgroup_limit(machine.root()) == 80'000'000U);
}

TEST_CASE("cgroup: in a container the mounted root is the process's own") {
  Machine machine;
  machine.with("/proc/self/cgroup", "0::/\n").with("/sys/fs/cgroup/memory.max", "134217728\n");
  CHECK(cgroup_limit(machine.root()) == 128 * MiB);
  machine.with("/proc/self/cgroup", "0::/kubepods/pod7/host-view\n");
  CHECK(cgroup_limit(machine.root()) == 128 * MiB);
  machine.with("/proc/self/cgroup", "0::/../beside\n").with("/sys/fs/memory.max", "1000\n");
  CHECK(cgroup_limit(machine.root()) == 128 * MiB);
}

TEST_CASE("cgroup: version 1, among other controllers") {
  Machine machine;
  machine.with("/proc/self/cgroup", "9:cpu,cpuacct:/a\n8:hugetlb,memory:/docker/b\n1:name=systemd:/c\n0::/c\n")
      .with("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
      .with("/sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes", "268435456\n");
  CHECK(cgroup_limit(machine.root()) == 256 * MiB);
  CHECK(default_ceiling(machine.root()) == 128 * MiB);
}

TEST_CASE("cgroup: a limit too small to work in gives the least ceiling, a generous one the usual") {
  Machine machine;
  machine.with("/proc/self/cgroup", "0::/\n").with("/sys/fs/cgroup/memory.max", "1048576\n");
  CHECK(default_ceiling(machine.root()) == 32 * MiB);
  machine.with("/sys/fs/cgroup/memory.max", "9223372036854771712\n");
  CHECK(default_ceiling(machine.root()) == 256 * MiB);
  for (const char* const odd : {"", "-5\n", "nonsense\n", "0\n", "99999999999999999999999\n"}) {
    machine.with("/sys/fs/cgroup/memory.max", odd);
    CHECK(!cgroup_limit(machine.root()));
  }
}

TEST_CASE("cgroup: lines that make no sense are passed over") {
  Machine machine;
  machine.with("/proc/self/cgroup", "\n:\nnonsense\n0::\n0::relative\n")
      .with("/sys/fs/cgroup/memory.max", "134217728\n");
  CHECK(cgroup_limit(machine.root()) == 128 * MiB);
}

TEST_CASE("cgroup: cores, in either version, the least of the process's own cgroup and its ancestors") {
  Machine machine;
  CHECK(!cgroup_cores(machine.root()));
  machine.with("/proc/self/cgroup", "4:cpu,cpuacct:/pods/one\n0::/pods/one\n")
      .with("/sys/fs/cgroup/pods/one/cpu.max", "max 100000\n");
  CHECK(!cgroup_cores(machine.root()));
  machine.with("/sys/fs/cgroup/pods/cpu.max", "250000 100000\n");
  CHECK(cgroup_cores(machine.root()) == 2.5);
  machine.with("/sys/fs/cgroup/cpu/pods/one/cpu.cfs_quota_us", "-1\n")
      .with("/sys/fs/cgroup/cpu/pods/one/cpu.cfs_period_us", "100000\n");
  CHECK(cgroup_cores(machine.root()) == 2.5);
  machine.with("/sys/fs/cgroup/cpu/pods/one/cpu.cfs_quota_us", "50000\n");
  CHECK(cgroup_cores(machine.root()) == 0.5);
  machine.with("/sys/fs/cgroup/cpu/pods/one/cpu.cfs_period_us", "0\n");
  CHECK(cgroup_cores(machine.root()) == 2.5);
}
