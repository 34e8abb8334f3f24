// SPDX-License-Identifier: MIT
#pragma once

#include "s3/location.h"

namespace hfpour::s3 {

/// Where a store's rules are narrower than S3's, and it cannot be asked beforehand.
struct Quirks {
  bool equal_parts = false;  ///< all parts of an upload have one length, but the last, which is not longer
};

/// The rules of the store at an endpoint. Pure; any thread. Source: contract s3 §4.1.
Quirks quirks_of(const Endpoint& endpoint);

}  // namespace hfpour::s3
