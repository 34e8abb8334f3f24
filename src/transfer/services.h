// SPDX-License-Identifier: MIT
#pragma once

#include "base/backoff.h"
#include "base/random.h"
#include "digest/hash_workers.h"
#include "loop/reactor.h"
#include "transfer/observer.h"
#include "transfer/pace.h"
#include "transfer/records.h"
#include "transfer/sink.h"
#include "transfer/source.h"

namespace hfpour {

/// What the core works with; all of it outlives the job. Loop thread.
struct Services {
  Reactor& reactor;
  HashWorkers& hashers;
  Source& source;
  Sink& sink;
  Records& records;
  Observer& observer;
  Progress& progress;
  Random& random;
  Pace& pace;
  bool check_md5 = true;    ///< compare each part's ETag with the MD5 of what was sent
  RetryPolicy patience;     ///< with the uploads of one stripe
  CancelToken last_call{};  ///< cancelled a while after the run was told to stop: tidying up must be over by then
};

}  // namespace hfpour
