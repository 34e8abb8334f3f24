// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "transfer/file_entry.h"

namespace hfpour {

/// What stands around the files in a stream of them; by itself: nothing, so that one file is just its bytes. Pure; any
/// thread.
class Framing {
 public:
  virtual ~Framing() = default;
  /// Before the bytes of `file`.
  virtual std::string head(const FileEntry&) const { return ""; }
  /// After them; only written once they are verified.
  virtual std::string tail(const FileEntry&) const { return ""; }
  /// After the last file.
  virtual std::string end() const { return ""; }
};

}  // namespace hfpour
