// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/weather.h"
#include "transfer/source.h"

namespace hfpour::testing {

/// Gives the bytes of files that lie in memory, in chunks of odd lengths. Loop thread.
class MemorySource final : public Source {
 public:
  MemorySource(Reactor& reactor, std::uint64_t seed) : weather_(reactor, seed) {}

  void add(const std::string& path, std::string content) { files_[path] = std::move(content); }

  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override {
    streams.emplace_back(file.path, range);
    ++open_;
    most_open = std::max(most_open, open_);
    Bell bell;
    inlet.set_waker(&bell);
    Result<void> sent = co_await send(files_.at(file.path), range, inlet, bell, cancel);
    inlet.set_waker(nullptr);
    --open_;
    co_return sent;
  }
  void distrust(const FileEntry& file) override { distrusted.push_back(file.path); }
  void done(const FileEntry&) override {}

  Bytes longest_chunk = 7;
  std::vector<std::pair<std::string, ByteRange>> streams;  ///< what was asked for
  std::vector<std::string> distrusted;
  unsigned most_open = 0;  ///< streams side by side
  unsigned open() const { return open_; }

 private:
  Task<Result<void>> send(const std::string& content, ByteRange range, Inlet& inlet, Bell& bell, CancelToken cancel) {
    Bytes at = range.begin;
    while (at < range.end) {
      if (cancel.cancelled()) co_return cancel.error();
      const Bytes count = std::min(weather_.draw(1, longest_chunk), range.end - at);
      const Inlet::Take taken = inlet.take(as_view(content).subspan(at, count));
      if (taken == Inlet::Take::refused) co_return Error(Kind::protocol, "more bytes than were asked for");
      if (taken == Inlet::Take::wait) {
        co_await bell.rung.wait(cancel);
        continue;
      }
      at += count;
      co_await weather_.pass(cancel);
    }
    co_return Result<void>();
  }

  Weather weather_;
  std::map<std::string, std::string> files_;
  unsigned open_ = 0;
};

}  // namespace hfpour::testing
