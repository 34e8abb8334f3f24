// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/backoff.h"
#include "base/result.h"
#include "cli/options.h"
#include "hub/repo_ref.h"
#include "hub/selection.h"
#include "hub/token.h"
#include "keys/places.h"
#include "ledger/manifest.h"
#include "s3/location.h"

namespace hfpour::run {

/// The options, understood and found good: what a run works with.
struct Settings {
  hub::RepoRef repo;
  hub::Selection selection;
  std::string hub_endpoint;
  hub::Token hf_token;
  s3::Location location;
  std::string base;    ///< key prefix of the repository's place, ending with `/`
  keys::Places keys;   ///< where the store's keys may be found
  std::string hub_ca;  ///< certificates to trust; empty: the system's
  std::string store_ca;
  RetryPolicy patience;
  std::chrono::seconds deadline{0};    ///< 0: none
  std::chrono::seconds lease_wait{0};  ///< for another run into the same place; 0: none is looked for
  std::chrono::seconds gc_after{0};    ///< age from which on an upload that nobody claims is dropped
  Bytes memory = 0;
  unsigned lanes = 0;
  Bytes part_size = 0;
  bool check_md5 = true;
  bool refresh = false;
  bool dry_run = false;

  Identity identity() const;
  /// `s3://bucket/prefix/owner/name/`
  std::string uri() const { return location.uri(base); }
};

/// Checks everything that can be checked without asking anybody. Errors: `usage`, one sentence naming the value and the
/// rule.
Result<Settings> check(const cli::Options& options);

}  // namespace hfpour::run
