// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "s3/bucket.h"
#include "s3/open_uploads.h"
#include "transfer/observer.h"

namespace hfpour::run {

/// Drops open multipart uploads that nothing has happened to for long. Loop thread.
class Sweep {
 public:
  /// Everything lent here outlives the sweep.
  Sweep(s3::Bucket& bucket, Observer& observer) : bucket_(bucket), observer_(observer), uploads_(bucket) {}

  /// What was found, and what was done about it.
  struct Found {
    std::string uri;
    WallTime last;  ///< when it was begun or its last part arrived, by the store's clock
    bool idle = false;
  };

  /// The open uploads of all keys that begin with `prefix`. All of them first: what is dropped while a listing goes on
  /// may move its marks.
  Task<Result<std::vector<s3::ListedUpload>>> list(std::string prefix, CancelToken cancel);

  /// Drops the upload if it is older than `age`; with `look_only` it just says so. An upload is as old as its last
  /// part: one that was begun long ago may still be alive. Nothing when the store tells no time, or somebody else has
  /// settled it.
  Task<Result<std::optional<Found>>> settle(s3::ListedUpload upload, std::chrono::seconds age, bool look_only,
                                            CancelToken cancel);

 private:
  s3::Bucket& bucket_;
  Observer& observer_;
  s3::OpenUploads uploads_;
};

}  // namespace hfpour::run
