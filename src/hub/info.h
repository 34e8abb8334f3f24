// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hfpour::hub {

/// Whether a repository asks for consent before it hands out files.
enum class Gated {
  no,
  automatic,  ///< access follows at once when the terms are accepted
  manual,     ///< the owner decides; also any word this program does not know
};

/// What the Hub says about a repository at one revision. Passive.
struct RepoInfo {
  std::string id;      ///< today's name, also when an older one was asked for
  std::string commit;  ///< 40 lower-case hex digits
  bool is_private = false;
  Gated gated = Gated::no;
  bool disabled = false;  ///< by the Hub's staff; its files answer 403
  bool operator==(const RepoInfo&) const = default;
};

/// Reads the answer of the info route. `id` and `sha` must be there; flags that are not count as
/// false. Errors: `protocol`. Pure; any thread. Source: contract hub section 1.2.
Result<RepoInfo> parse_info(std::string_view json);

}  // namespace hfpour::hub
