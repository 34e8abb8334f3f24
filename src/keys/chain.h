// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>

#include "http/client.h"
#include "keys/grant.h"
#include "keys/places.h"
#include "loop/condition.h"
#include "transfer/observer.h"

namespace hfpour::keys {

/// The ways to the places; the last two never use a proxy. All outlive the chain.
struct Legs {
  http::Client& sts;
  http::Client& agent;
  http::Client& metadata;
};

/// Finds keys for the store, and renews them before they expire.
///
///     environment → web identity → profile → container → the machine's metadata
///
/// The first place that is there counts; one that is there and fails is an error, but for the metadata service, whose
/// silence means only that there is none. Renewed 15 minutes before the keys expire while the old ones still serve, 10
/// minutes before at the latest, or at half of a shorter life. Whoever asks meanwhile waits for the one renewal that is
/// under way. Loop thread; outlives whoever asks. Source of order and times: contract s3, 5 (botocore's).
class Chain final : public s3::KeySource {
 public:
  /// Everything lent here outlives the chain.
  Chain(const Places& places, Legs legs, Observer& observer);
  ~Chain() override;

  /// Errors: those of the place (`given_up` if it never gave any: trying again is pointless then), `usage` when there is no place, naming each that was looked at.
  Task<Result<s3::Credentials>> get(CancelToken cancel) override;
  bool refused(const s3::Credentials& used) override;

 private:
  Task<Result<Grant>> fetch(CancelToken cancel);
  Task<Result<Grant>> find(CancelToken cancel);
  Result<std::unique_ptr<Issuer>> from_profile();
  std::string nowhere(const std::string& metadata) const;
  void keep(Grant grant);
  void note_failure(const Error& error);

  Reactor& reactor_;
  const Places& places_;
  Legs legs_;
  Observer& observer_;
  std::unique_ptr<Issuer> issuer_;
  std::optional<s3::Credentials> current_;
  SteadyTime renew_at_ = SteadyTime::max();  ///< one asker renews, the others go on
  SteadyTime wait_at_ = SteadyTime::max();   ///< everybody waits for the renewal
  SteadyTime dead_at_ = SteadyTime::max();
  bool renewing_ = false;
  bool served_ = false;  ///< there have been keys
  unsigned failures_ = 0;  ///< of renewals, counted up for those who waited
  Error failure_;          ///< the last one
  Condition renewed_;
};

}  // namespace hfpour::keys
