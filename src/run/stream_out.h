// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "http/client.h"
#include "hub/hub_client.h"
#include "pipe/spout.h"
#include "run/pipe_settings.h"
#include "run/world.h"
#include "s3/bucket.h"
#include "s3/object.h"
#include "transfer/memory_plan.h"

namespace hfpour::run {

/// `hfpour cat` and `hfpour tar`: files of the Hub, or an object, to a descriptor. Loop thread.
class StreamOut {
 public:
  /// Everything lent here outlives the run.
  StreamOut(const PipeSettings& settings, World world, Descriptor& out);

  /// Errors: the one that ended the run.
  Task<Result<void>> go(CancelToken cancel);

 private:
  Task<Result<void>> from_hub(CancelToken cancel);
  Task<Result<void>> from_store(CancelToken cancel);
  Result<void> choose(const std::vector<FileEntry>& files);
  Result<Spout::Member> member_of(const FileEntry& file, bool hash_known) const;
  Task<Result<void>> pour(Source& source, http::Client& leg, const Framing& framing, CancelToken cancel);

  const PipeSettings& settings_;
  World world_;
  Descriptor& out_;
  http::Client leg_;
  std::vector<Spout::Member> members_;
};

}  // namespace hfpour::run
