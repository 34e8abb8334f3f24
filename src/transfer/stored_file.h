// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "digest/digest.h"

namespace hfpour {

/// What is known of a file once it lies in the bucket, verified.
struct StoredFile {
  std::string etag;               ///< normalised: no quotes, lower case
  Bytes part_size = 0;            ///< 0: stored by one request
  std::vector<Xxh3::Value> xxh3;  ///< of each part, or of the whole file
};

}  // namespace hfpour
