// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "run/pipe_settings.h"
#include "run/world.h"
#include "s3/open_uploads.h"

namespace hfpour::run {

/// `hfpour gc`: drops the open multipart uploads of a place in a bucket that nothing has happened to for long. Loop thread.
class Gc {
 public:
  /// What was found, and what was done about it.
  struct Found {
    std::string uri;
    WallTime last;  ///< when it was begun or its last part arrived, by the store's clock
    bool dropped = false;
  };

  /// Everything lent here outlives the run. `say` gets each upload as it is settled.
  Gc(const PipeSettings& settings, World world, std::function<void(const Found&)> say);

  /// Errors: the one that ended the run. What was dropped by then stays dropped.
  Task<Result<void>> go(CancelToken cancel);

 private:
  Task<Result<void>> settle(s3::ListedUpload upload, CancelToken cancel);

  const PipeSettings& settings_;
  World world_;
  std::function<void(const Found&)> say_;
  http::Client leg_;
  s3::Bucket bucket_;
  s3::OpenUploads uploads_;
};

}  // namespace hfpour::run
