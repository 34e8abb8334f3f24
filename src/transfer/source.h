// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "buffer/flow.h"
#include "loop/cancel.h"
#include "loop/task.h"
#include "transfer/file_entry.h"

namespace hfpour {

/// Port: where the bytes of files come from. Loop thread.
class Source {
 public:
  virtual ~Source() = default;

  /// Streams `range` of `file` into `inlet`, in order, each byte once.
  ///
  /// A broken stream is resumed at the byte it had reached; the caller hears of it only when the patience is used up.
  /// Errors: the last failure, or the token's.
  virtual Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) = 0;

  /// The bytes of `file` turned out wrong: whatever is remembered of where they came from is dropped.
  virtual void distrust(const FileEntry& file) = 0;

  /// No more of `file` will be asked for: what is remembered for its next stream may go.
  virtual void done(const FileEntry& file) = 0;
};

}  // namespace hfpour
