// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "digest/digest.h"
#include "transfer/file_entry.h"

namespace hfpour {

/// One part of an unfinished file whose bytes have gone into the file's hash.
struct HashedPart {
  Xxh3::Value xxh3{};
  std::string etag;  ///< the sink's receipt, verbatim; empty: to be fetched again, and then equal to `xxh3`
};

/// An upload that was begun and not completed, as another process can go on with it: the file's hash after the first
/// `parts.size()` parts, and what is known of these parts. Whatever lies beyond them is forgotten.
struct Unfinished {
  std::string upload_id;
  Bytes part_size = 0;
  std::vector<HashedPart> parts;  ///< without a gap from part 1; never all parts of the file
  Midstate hash;                  ///< after `parts`, the header of a git blob included

  Bytes hashed() const { return part_size * parts.size(); }
};

/// An unfinished file of a job.
struct UnfinishedFile {
  FileEntry file;
  Unfinished upload;
};

}  // namespace hfpour
