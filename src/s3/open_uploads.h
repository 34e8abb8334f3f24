// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "s3/bucket.h"
#include "s3/xml.h"

namespace hfpour::s3 {

/// The multipart uploads of a bucket that are neither complete nor aborted: invisible, and billed. Loop thread.
class OpenUploads {
 public:
  explicit OpenUploads(Bucket& bucket) : bucket_(bucket) {}

  /// Calls `each` for every open upload whose key begins with `prefix`, page by page. Errors: the store's; `protocol`
  /// or `quota` when the listing has no end, or names more than `limit` bytes.
  Task<Result<void>> list(std::string prefix, Bytes limit, std::function<void(ListedUpload)> each, CancelToken cancel);

  /// Calls `each` for every part of an upload, page by page. Errors: `expired` when the upload is gone.
  Task<Result<void>> parts(std::string key, std::string upload_id, std::function<void(const ListedPart&)> each,
                           CancelToken cancel);

  /// When the last part of an upload arrived; nothing when it has none, or no time is told. Errors: `expired` when the
  /// upload is gone.
  Task<Result<std::optional<WallTime>>> last_part(ListedUpload upload, CancelToken cancel);

  /// Drops an upload. One that is gone already is a success. A part that was under way may land after an abort
  /// (contract s3 §4.5), so it is repeated until the store does not know the upload any more.
  Task<Result<void>> abort(std::string key, std::string upload_id, CancelToken cancel);

 private:
  Task<Result<PartPage>> part_page(const std::string& key, const std::string& upload_id, std::string marker,
                                   CancelToken cancel);

  Bucket& bucket_;
};

}  // namespace hfpour::s3
