// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"

namespace hfpour::run {

/// The least memory limit, in bytes, that a cgroup of this process or an ancestor of it sets; nothing if none does.
///
/// Reads `/proc/self/cgroup` and walks from the process's own cgroup up to the mounted root, in version 2 and in
/// version 1. Inside a container without a cgroup name space the path is the host's and is not there: the root that is
/// mounted then stands for it. `root` is put in front of `/proc` and `/sys`, for tests. Any thread. Source: cgroups(7),
/// the kernel's cgroup-v2.rst (`memory.max`) and cgroup-v1/memory.rst (`memory.limit_in_bytes`).
std::optional<Bytes> cgroup_limit(const std::string& root = "");

/// How many cores' time a cgroup of this process or an ancestor of it allows at most; nothing if none does. Found as
/// `cgroup_limit` finds the memory. Source: cgroup-v2.rst (`cpu.max`) and scheduler/sched-bwc.rst (`cpu.cfs_quota_us`).
std::optional<double> cgroup_cores(const std::string& root = "");

/// The default ceiling: `cli::default_memory`, or half of what the cgroup allows if that is less, never below
/// `cli::min_memory`.
Bytes default_ceiling(const std::string& root = "");

}  // namespace hfpour::run
