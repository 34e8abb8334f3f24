// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "base/backoff.h"
#include "base/result.h"
#include "cli/options.h"
#include "hub/repo_ref.h"
#include "hub/selection.h"
#include "hub/token.h"
#include "keys/places.h"
#include "s3/location.h"
#include "transfer/file_entry.h"

namespace hfpour::run {

/// The options of `cat`, `tar`, `put` or `gc`, understood and found good.
struct PipeSettings {
  cli::Action command = cli::Action::cat;
  std::optional<hub::RepoRef> repo;  ///< of `tar`, and of `cat` from the Hub
  hub::Selection selection;
  std::string hub_endpoint;
  hub::Token hf_token;
  std::optional<s3::Location> location;  ///< of `put`, `gc`, and of `cat` from a bucket
  std::string key;                       ///< of the object; of `gc` the prefix, maybe empty
  keys::Places keys;                     ///< where the store's keys may be found
  std::string ca_bundle;
  RetryPolicy patience;
  Bytes memory = 0;
  unsigned lanes = 0;
  Bytes part_size = 0;
  bool check_md5 = true;
  bool equal_parts = false;  ///< the store wants all parts of one length but the last
  std::optional<cli::WantedRange> range;
  std::optional<Bytes> expected_size;
  std::optional<ContentHash> sha256;
  std::chrono::seconds older_than{0};  ///< of `gc`
  bool dry_run = false;
  std::string input;  ///< of `put`: a file, or `-`

  /// The source or destination, for messages.
  std::string name() const { return repo ? hub::to_string(*repo) : location->uri(key); }
};

/// Checks everything that can be checked without asking anybody. Errors: `usage`, one sentence naming the value and the
/// rule.
Result<PipeSettings> check_pipe(const cli::Options& options);

}  // namespace hfpour::run
