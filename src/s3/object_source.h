// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "s3/bucket.h"
#include "transfer/source.h"

namespace hfpour::s3 {

/// `Source` on the bucket itself: reads back what lies there, so that files another tool stored can be checked and
/// kept. Loop thread.
class ObjectSource final : public Source {
 public:
  /// `base` ends with `/`.
  ObjectSource(Bucket& bucket, std::string base) : bucket_(bucket), base_(std::move(base)) {}

  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override;
  void distrust(const FileEntry&) override {}
  void done(const FileEntry&) override {}

 private:
  Bucket& bucket_;
  std::string base_;
};

}  // namespace hfpour::s3
