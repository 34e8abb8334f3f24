// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "http/remote_sender.h"
#include "loop/side_loop.h"
#include "s3/bucket.h"

namespace hfpour::run {

/// A second loop, which sends a bucket's parts while the first one receives; for as long as it lives. Where the process
/// has less than two cores, or may have no more threads, there is none, and the first loop sends them.
class PartLoop {
 public:
  /// `leg` is the store's, with its buffers. Bucket and reactor outlive this.
  PartLoop(Reactor& reactor, const http::Leg& leg, s3::Bucket& bucket);
  PartLoop(const PartLoop&) = delete;
  PartLoop& operator=(const PartLoop&) = delete;
  /// No part is under way then.
  ~PartLoop() { bucket_.send_parts_by(nullptr); }

  /// The first loop, and the second if there is one.
  std::vector<const Reactor*> loops() const;

 private:
  Reactor& reactor_;
  s3::Bucket& bucket_;
  std::optional<http::RemoteSender> sender_;
  std::optional<SideLoop> side_;  ///< ends first
};

}  // namespace hfpour::run
