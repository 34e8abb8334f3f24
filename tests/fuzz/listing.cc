// SPDX-License-Identifier: MIT
// What the Hub says of a repository: a page of its listing, and its info.
#include <set>

#include "harness.h"
#include "hub/info.h"
#include "hub/repo_ref.h"
#include "hub/tree.h"

namespace hfpour::fuzz {

void take(std::string_view input) {
  const Result<std::vector<FileEntry>> page = hub::parse_tree_page(input);
  if (!page) {
    require_fit_for_a_log(page.error());
  } else {
    std::set<std::string> paths;
    for (const FileEntry& file : *page) {
      require(!file.path.empty() && paths.insert(file.path).second, "each path is there once");
      require(parse_hash(to_string(file.hash.kind), to_hex(file.hash)) == file.hash,
              "a hash can be written and read again");
    }
  }
  const Result<hub::RepoInfo> info = hub::parse_info(input);
  if (!info) return require_fit_for_a_log(info.error());
  require(hub::is_commit(info->commit) && hub::check_repo_id(info->id).has_value(), "id and commit are of their kind");
}

}  // namespace hfpour::fuzz
