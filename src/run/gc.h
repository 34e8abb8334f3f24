// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "run/pipe_settings.h"
#include "run/store_keys.h"
#include "run/sweep.h"
#include "run/world.h"

namespace hfpour::run {

/// `hfpour gc`: drops the open multipart uploads of a place in a bucket that nothing has happened to for long. Loop
/// thread.
class Gc {
 public:
  /// Everything lent here outlives the run. `say` gets each upload as it is settled.
  Gc(const PipeSettings& settings, World world, std::function<void(const Sweep::Found&)> say);

  /// Errors: the one that ended the run. What was dropped by then stays dropped.
  Task<Result<void>> go(CancelToken cancel);

 private:
  const PipeSettings& settings_;
  std::function<void(const Sweep::Found&)> say_;
  http::Client leg_;
  StoreKeys keys_;
  s3::Bucket bucket_;
  Sweep sweep_;
};

}  // namespace hfpour::run
