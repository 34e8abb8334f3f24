// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/client.h"
#include "keys/chain.h"
#include "keys/renewal.h"
#include "run/world.h"

namespace hfpour::run {

/// The store's keys and the ways to where they come from. Loop thread.
class StoreKeys {
 public:
  /// `places` and the world outlive it; `ca_bundle` is what STS' certificate is checked with, as the store's is.
  StoreKeys(const keys::Places& places, const std::string& ca_bundle, World world);

  s3::KeySource& source() { return renewal_; }

 private:
  http::Client sts_;
  http::Client agent_;
  http::Client metadata_;
  keys::Chain chain_;
  keys::Renewal renewal_;
};

}  // namespace hfpour::run
