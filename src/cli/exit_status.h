// SPDX-License-Identifier: MIT
#pragma once

#include "base/error.h"

namespace hfpour::cli {

/// How a run ends, as the shell and a Job's `podFailurePolicy` see it.
enum class ExitStatus : int {
  done = 0,             ///< everything selected is in the bucket and checked
  internal = 1,         ///< a bug here
  usage = 2,            ///< command line, environment or a setting is wrong
  not_found = 3,        ///< repository, revision, file or bucket is not there
  empty_selection = 4,  ///< the patterns matched no file
  temporary = 5,        ///< temporary trouble outlasted the retries; worth another run
  forbidden = 6,        ///< permission, or a gated repository
  integrity = 7,        ///< content differs from the Hub's hash
  quota = 8,            ///< the store is full, or a limit of it would be broken
  deadline = 10,        ///< time was up, checkpoint saved; worth another run
  lease = 11,           ///< somebody else held the lease for too long; worth another run
  reader_left = 141,    ///< whoever read stdout closed it early; as if killed by SIGPIPE
  interrupted = 130,    ///< SIGINT, checkpoint saved
  terminated = 143,     ///< SIGTERM, checkpoint saved
};

/// The exit status that follows from an error's kind alone.
///
/// `cancelled` gives 130: whoever knows that it was SIGTERM says 143 instead, or 10 when it was the deadline.
constexpr int exit_status(Kind kind) {
  switch (kind) {
    case Kind::cancelled: return static_cast<int>(ExitStatus::interrupted);
    case Kind::usage: return static_cast<int>(ExitStatus::usage);
    case Kind::not_found: return static_cast<int>(ExitStatus::not_found);
    case Kind::empty_selection: return static_cast<int>(ExitStatus::empty_selection);
    case Kind::forbidden: return static_cast<int>(ExitStatus::forbidden);
    case Kind::integrity: return static_cast<int>(ExitStatus::integrity);
    case Kind::quota: return static_cast<int>(ExitStatus::quota);
    case Kind::busy: return static_cast<int>(ExitStatus::lease);
    case Kind::throttled:
    case Kind::unavailable:
    case Kind::network:
    case Kind::timeout:
    case Kind::expired:
    case Kind::protocol: return static_cast<int>(ExitStatus::temporary);
    case Kind::internal: return static_cast<int>(ExitStatus::internal);
  }
  return static_cast<int>(ExitStatus::internal);
}

}  // namespace hfpour::cli
