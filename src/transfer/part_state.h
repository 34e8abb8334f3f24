// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <vector>

#include "digest/digest.h"

namespace hfpour {

/// What is known of one part while its file moves. Small: a file may have 10,000.
struct PartState {
  Xxh3::Value xxh3{};                 ///< of the bytes as they came in
  std::array<std::byte, 16> md5{};    ///< of the bytes as they lie in the ring
  unsigned char refusals = 0;         ///< how often the store found other bytes than were sent
  bool received = false;              ///< `xxh3` stands
  bool hashed = false;                ///< `md5` stands, unless MD5 is off
  std::string etag;                   ///< the store's receipt, verbatim; empty until acknowledged
};

}  // namespace hfpour
