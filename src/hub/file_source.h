// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hub/hub_client.h"
#include "loop/condition.h"
#include "transfer/source.h"

namespace hfpour::hub {

/// `Source` on the Hub: asks where a file's bytes are just before they are needed, then one long ranged GET a stream,
/// resumed at the byte it had reached. Loop thread.
class FileSource final : public Source {
 public:
  FileSource(HubClient& hub, RepoRef ref, std::string commit)
      : hub_(hub), ref_(std::move(ref)), commit_(std::move(commit)) {}

  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override;
  void distrust(const FileEntry& file) override { links_.erase(&file); }
  void done(const FileEntry& file) override { links_.erase(&file); }

 private:
  /// The link of one file, shared by its streams until the file is done; asked for by one of them, awaited by the
  /// others.
  struct Slot {
    std::optional<Link> link;
    bool asking = false;
    bool cache_in_doubt = false;  ///< an address was refused, and nothing has come since
    Condition answered;
  };
  class RangeInlet;

  Task<Result<Link>> link_to(const FileEntry& file, Slot& slot, CancelToken cancel);
  Task<Result<void>> stream_with(const FileEntry& file, ByteRange range, Inlet& inlet, Slot& slot, CancelToken cancel);
  Task<Result<void>> attempt(const FileEntry& file, ByteRange range, RangeInlet& inlet, Slot& slot, Link link,
                             CancelToken cancel);
  static Error of_edge(Error error, const Link& link, Slot& slot);
  Result<void> judge(const FileEntry& file, const http::Response& answer, bool accepted, const Link& link,
                     Slot& slot) const;
  std::string name_of(const FileEntry& file) const;

  HubClient& hub_;
  RepoRef ref_;
  std::string commit_;
  std::map<const FileEntry*, std::unique_ptr<Slot>> links_;
};

}  // namespace hfpour::hub
