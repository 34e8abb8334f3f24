// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/result.h"
#include "cli/options.h"
#include "hub/repo_ref.h"
#include "hub/selection.h"
#include "s3/location.h"

namespace hfpour::run {

// The pieces that the settings of all commands are made of. Each checks what it reads; errors: `usage`, one sentence.

/// The repository of `source`, in the revision that either it or the options name.
Result<hub::RepoRef> read_repo(const cli::Options& options);

/// Which of its files are wanted: one if the source names it, else what the patterns say.
Result<hub::Selection> read_selection(const cli::Options& options, const hub::RepoRef& repo);

/// Where the store is.
Result<s3::Location> read_location(const cli::Options& options, const std::string& bucket);

/// Looks into the CA file, if one is named.
Result<void> check_ca_bundle(const cli::CaBundle& bundle);

}  // namespace hfpour::run
