// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "transfer/source.h"

namespace hfpour::testing {

/// A source in front of another one, which goes wrong as told. Loop thread.
class FaultySource final : public Source {
 public:
  explicit FaultySource(Source& inner) : inner_(inner) {}

  /// The byte at this offset of the file comes with one bit flipped, in the streams `from` to `to`
  /// (from 1) of those that hold it.
  struct Flip {
    std::string path;
    Bytes offset = 0;
    unsigned from = 1;
    unsigned to = ~0U;
  };
  /// The stream breaks for good when it reaches this offset.
  struct Break {
    std::string path;
    Bytes offset = 0;
    Error error;
    unsigned times = ~0U;
  };
  std::optional<Flip> flip;
  std::optional<Break> breaking;

  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override {
    const auto concerns = [&file, range](const auto& fault) {
      return fault && fault->path == file.path && fault->offset >= range.begin && fault->offset < range.end;
    };
    FaultyInlet between(inlet, range.begin);
    if (concerns(flip)) {
      ++flips_seen_;
      if (flips_seen_ >= flip->from && flips_seen_ <= flip->to) between.flip_at = flip->offset;
    }
    ByteRange asked = range;
    const bool breaks = concerns(breaking) && breaking->times > 0;
    if (breaks) {
      --breaking->times;
      asked.end = breaking->offset;
    }
    Result<void> streamed = co_await inner_.stream(file, asked, between, cancel);
    if (streamed && breaks) co_return breaking->error;
    co_return streamed;
  }
  void distrust(const FileEntry& file) override { inner_.distrust(file); }
  void done(const FileEntry& file) override { inner_.done(file); }

 private:
  class FaultyInlet final : public Inlet {
   public:
    FaultyInlet(Inlet& inner, Bytes begin) : inner_(inner), at_(begin) {}
    Take take(ByteView bytes) override {
      std::string copy(as_text(bytes));
      if (flip_at && *flip_at >= at_ && *flip_at < at_ + copy.size()) {
        char& hit = copy[*flip_at - at_];
        hit = static_cast<char>(hit ^ 0x10);
      }
      const Take taken = inner_.take(as_view(copy));
      if (taken == Take::all) at_ += copy.size();
      return taken;
    }
    void set_waker(Waker* waker) override { inner_.set_waker(waker); }
    std::optional<Bytes> flip_at;

   private:
    Inlet& inner_;
    Bytes at_;
  };

  Source& inner_;
  unsigned flips_seen_ = 0;
};

}  // namespace hfpour::testing
