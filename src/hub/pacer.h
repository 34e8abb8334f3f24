// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include "base/random.h"
#include "http/request.h"
#include "loop/reactor.h"

namespace hfpour::hub {

/// Keeps requests inside the Hub's rate limit: reads `RateLimit` from each answer, spreads what is left over the time
/// that is left once it gets short, and holds a whole bucket back after a 429 (contract hub §5). Loop thread.
class Pacer {
 public:
  Pacer(Reactor& reactor, Random& random) : reactor_(reactor), random_(random) {}

  /// Waits until a request of `bucket` (`api`, `resolvers`) may go out; at once while there is plenty.
  Task<void> turn(std::string bucket, CancelToken cancel);
  /// Takes note of an answer to a request of `bucket`.
  void note(const std::string& bucket, const http::Response& answer);

 private:
  struct Bucket {
    Bytes remaining = 0;
    bool known = false;
    SteadyTime reset;       ///< the window begins anew
    SteadyTime next_start;  ///< no request before that
  };

  Reactor& reactor_;
  Random& random_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace hfpour::hub
