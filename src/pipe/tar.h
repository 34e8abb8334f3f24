// SPDX-License-Identifier: MIT
#pragma once

#include "pipe/framing.h"

namespace hfpour {

/// The blocks of a POSIX tar archive: ustar headers, and pax records where a name or a size does not fit into one.
///
/// Depends on nothing but path and size, so one commit always gives the same archive: mode 0644, owner 0, no names, and
/// a time of one second after the epoch (older GNU tar remarks upon 0 for each file). Folders have no members of their
/// own. Source: IEEE Std 1003.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format".
class Tar final : public Framing {
 public:
  std::string head(const FileEntry& file) const override;
  /// Zeros up to the next block of 512 bytes.
  std::string tail(const FileEntry& file) const override;
  /// The two blocks of zeros that mark the end.
  std::string end() const override;
};

}  // namespace hfpour
