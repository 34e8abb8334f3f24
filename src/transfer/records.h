// SPDX-License-Identifier: MIT
#pragma once

#include "transfer/file_entry.h"
#include "transfer/stored_file.h"

namespace hfpour {

/// Port: told of each file that is stored and verified, so that a later run can rely on it. Loop thread.
class Records {
 public:
  virtual ~Records() = default;
  virtual void stored(const FileEntry& file, StoredFile facts) = 0;
};

}  // namespace hfpour
