// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "digest/digest.h"
#include "digest/md5.h"

namespace hfpour {

/// What is known of one part while its file moves. Small: a file may have 10,000.
struct PartState {
  Xxh3::Value xxh3{};          ///< of the bytes as they came in
  Md5::Value md5{};            ///< of the bytes as they lie in the ring
  unsigned char refusals = 0;  ///< how often the store found other bytes than were sent
  bool received = false;       ///< `xxh3` stands
  bool summed = false;         ///< `md5` stands
  std::string etag;            ///< the store's receipt, verbatim; empty until acknowledged
};

/// An ETag for comparison: without `W/` and quotes, in lower case (contract s3 §4.3).
inline std::string bare_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return to_lower(etag);
}

/// The 32 hex digits of an ETag that looks like an MD5; nothing for any other ETag.
inline std::optional<std::string> md5_in_etag(std::string_view etag) {
  std::string bare = bare_etag(etag);
  if (bare.size() != 32 || !from_hex(bare)) return std::nullopt;
  return bare;
}

}  // namespace hfpour
