// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/backoff.h"
#include "loop/cancel.h"
#include "loop/reactor.h"
#include "loop/task.h"
#include "transfer/observer.h"

namespace hfpour {

/// Whom a failed attempt concerns; all of it outlives the wait.
struct Retrying {
  Reactor& reactor;
  Observer& observer;
  Progress& progress;
};

/// After a failed attempt at `what`: counts and tells it, and waits as long as `backoff` says. Errors: the one given,
/// when it is to be the last; the token's. Loop thread.
Task<Result<void>> wait_after(Error error, std::string what, Backoff& backoff, Retrying of, CancelToken cancel);

}  // namespace hfpour
