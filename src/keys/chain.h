// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "keys/grant.h"
#include "keys/issuers.h"
#include "keys/places.h"

namespace hfpour::keys {

/// The first place that has keys, found when they are first wanted, and kept.
///
/// Order: an asked-for profile, the environment, a web identity, the shared files, the container's agent, the
/// instance's metadata. A place that is there but fails is an error, and the ones behind it are not asked; only the
/// metadata may be absent in silence. Errors also: `usage`, naming every place, when there are no keys anywhere.
/// Source: contract s3, 5. Loop thread.
class Chain final : public Issuer {
 public:
  /// Everything lent here outlives the chain.
  Chain(const Places& places, Legs legs, Random& random) : places_(places), legs_(legs), random_(random) {}

  Task<Result<Grant>> fetch(CancelToken cancel) override;
  bool renews() const override { return !found_ || found_->renews(); }

 private:
  Result<std::unique_ptr<Issuer>> find() const;
  std::string nothing_found() const;

  const Places& places_;
  Legs legs_;
  Random& random_;
  std::unique_ptr<Issuer> found_;
};

}  // namespace hfpour::keys
