// SPDX-License-Identifier: MIT
#pragma once

#include "transfer/file_entry.h"
#include "transfer/stored_file.h"

namespace hfpour {

/// Port: told of what is stored, so that a later run can rely on it. Loop thread.
class Records {
 public:
  virtual ~Records() = default;
  /// The file is in its place, verified.
  virtual void stored(const FileEntry& file, StoredFile facts) = 0;
  /// An upload was begun, or a part of one acknowledged: what is unfinished is no longer what it was.
  virtual void advanced() = 0;
};

}  // namespace hfpour
