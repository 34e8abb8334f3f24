// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "loop/cancel.h"
#include "loop/task.h"

namespace hfpour::s3 {

/// One key pair of the store, with the token that goes with it when the pair is temporary. Plain value.
struct Credentials {
  std::string access_key_id;
  Secret secret;
  Secret session_token;  ///< empty for a permanent pair
};

/// Port: where a bucket gets the keys for each request it signs. Loop thread.
class KeySource {
 public:
  virtual ~KeySource() = default;

  /// Keys that are good now; fetched or renewed first if they must be. Errors: why there are none.
  virtual Task<Result<Credentials>> get(CancelToken cancel) = 0;

  /// The store did not accept `used`. True when the next `get` may give others, so that one more try is worth it.
  virtual bool refused(const Credentials& used) = 0;
};

}  // namespace hfpour::s3
