// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/secret.h"

namespace hfpour::s3 {

/// One key pair of the store, with the token that goes with it when the pair is temporary.
///
/// Plain value. An empty `access_key_id` stands for "anonymous": requests go out unsigned.
struct Credentials {
  std::string access_key_id;
  Secret secret;
  Secret session_token;  ///< empty for a permanent pair

  bool anonymous() const { return access_key_id.empty(); }
};

}  // namespace hfpour::s3
