// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "http/client.h"
#include "pipe/funnel.h"
#include "run/pipe_settings.h"
#include "run/world.h"
#include "s3/bucket.h"
#include "s3/multipart_sink.h"

namespace hfpour::run {

/// `hfpour put`: a descriptor into one object. Loop thread.
class Put {
 public:
  /// `size` is that of a regular file. Everything lent here outlives the run.
  Put(const PipeSettings& settings, World world, Descriptor& in, std::optional<Bytes> size);

  /// Errors: the one that ended the run; nothing is left in the bucket then.
  Task<Result<Funnel::Stored>> go(CancelToken cancel);

 private:
  const PipeSettings& settings_;
  World world_;
  Descriptor& in_;
  std::optional<Bytes> size_;
  http::Client leg_;
  s3::Bucket bucket_;
  s3::MultipartSink sink_;
};

}  // namespace hfpour::run
