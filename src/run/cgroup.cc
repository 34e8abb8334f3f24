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
  std::string file;
};

/// The hierarchies that control memory, as `/proc/self/cgroup` names them: `0::/path` and `7:memory,…:/path`.
std::vector<Hierarchy> hierarchies(const std::string& root) {
  const std::string v2 = root + "/sys/fs/cgroup";
  const std::string v1 = root + "/sys/fs/cgroup/memory";
  // Where nothing names a cgroup, the mounted roots are still worth a look.
  std::vector<Hierarchy> found = {{v2, "", "memory.max"}, {v1, "", "memory.limit_in_bytes"}};
  std::ifstream list(root + "/proc/self/cgroup");
  for (std::string line; std::getline(list, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::vector<std::string> controllers = split_list(line.substr(first + 1, second - first - 1), ',');
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) found.push_back({v2, path, "memory.max"});
    if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      found.push_back({v1, path, "memory.limit_in_bytes"});
    }
  }
  return found;
}

std::optional<Bytes> limit_in(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  return parse_decimal(trim(text));  // `max` is no number
}

}  // namespace

std::optional<Bytes> cgroup_limit(const std::string& root) {
  std::optional<Bytes> least;
  for (Hierarchy& at : hierarchies(root)) {
    // A cgroup beside the name space's root shows as `/../name`: not to be reached from here.
    if (at.path.find("/..") != std::string::npos) continue;
    while (true) {
      const std::optional<Bytes> limit = limit_in(at.mounted + at.path + "/" + at.file);
      if (limit && *limit > 0) least = std::min(least.value_or(*limit), *limit);
      if (at.path.empty()) break;
      at.path.erase(at.path.rfind('/') == std::string::npos ? 0 : at.path.rfind('/'));
    }
  }
  return least;
}

Bytes default_ceiling(const std::string& root) {
  const std::optional<Bytes> limit = cgroup_limit(root);
  if (!limit) return cli::default_memory;
  return std::max(cli::min_memory, std::min(cli::default_memory, *limit / 2));
}

}  // namespace hfpour::run
