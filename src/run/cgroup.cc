// SPDX-License-Identifier: MIT
#include "run/cgroup.h"

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "cli/options.h"

namespace hfpour::run {
namespace {

/// One hierarchy that may hold a limit.
struct Hierarchy {
  std::string mounted;  ///< where its root is
  std::string path;     ///< of this process's cgroup in it
  bool unified;         ///< version 2
};

/// The hierarchies of one controller, as `/proc/self/cgroup` names them: `0::/path` and `7:memory,…:/path`.
std::vector<Hierarchy> hierarchies(const std::string& root, const std::string& controller) {
  const std::string v2 = root + "/sys/fs/cgroup";
  const std::string v1 = root + "/sys/fs/cgroup/" + controller;
  // Where nothing names a cgroup, the mounted roots are still worth a look.
  std::vector<Hierarchy> found = {{v2, "", true}, {v1, "", false}};
  std::ifstream list(root + "/proc/self/cgroup");
  for (std::string line; std::getline(list, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::vector<std::string> controllers = split_list(line.substr(first + 1, second - first - 1), ',');
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) found.push_back({v2, path, true});
    if (std::find(controllers.begin(), controllers.end(), controller) != controllers.end()) {
      found.push_back({v1, path, false});
    }
  }
  return found;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

/// The least that `limit_in` finds in the process's own cgroup and those above it, up to the mounted root.
template <class Limit>
std::optional<Limit> least(const std::string& root, const std::string& controller,
                           std::optional<Limit> (*limit_in)(const std::string& folder, bool unified)) {
  std::optional<Limit> found;
  for (Hierarchy& at : hierarchies(root, controller)) {
    // A cgroup beside the name space's root shows as `/../name`: not to be reached from here.
    if (at.path.find("/..") != std::string::npos) continue;
    while (true) {
      const std::optional<Limit> limit = limit_in(at.mounted + at.path, at.unified);
      if (limit && *limit > 0) found = std::min(found.value_or(*limit), *limit);
      if (at.path.empty()) break;
      at.path.erase(at.path.rfind('/') == std::string::npos ? 0 : at.path.rfind('/'));
    }
  }
  return found;
}

/// `max` is no number, and means that there is no limit.
std::optional<Bytes> memory_in(const std::string& folder, bool unified) {
  return parse_decimal(trim(first_line(folder + (unified ? "/memory.max" : "/memory.limit_in_bytes"))));
}

/// Microseconds of CPU time in each period, and the period.
std::optional<double> cores_in(const std::string& folder, bool unified) {
  const std::string text =
      unified ? first_line(folder + "/cpu.max")
              : first_line(folder + "/cpu.cfs_quota_us") + " " + first_line(folder + "/cpu.cfs_period_us");
  const std::vector<std::string> words = split_list(text, ' ');
  if (words.size() != 2) return std::nullopt;
  const std::optional<Bytes> quota = parse_decimal(words[0]);
  const std::optional<Bytes> period = parse_decimal(words[1]);
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

}  // namespace

std::optional<Bytes> cgroup_limit(const std::string& root) {
  return least(root, "memory", &memory_in);
}

std::optional<double> cgroup_cores(const std::string& root) {
  return least(root, "cpu", &cores_in);
}

Bytes default_ceiling(const std::string& root) {
  const std::optional<Bytes> limit = cgroup_limit(root);
  if (!limit) return cli::default_memory;
  return std::max(cli::min_memory, std::min(cli::default_memory, *limit / 2));
}

}  // namespace hfpour::run
