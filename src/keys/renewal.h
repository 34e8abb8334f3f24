// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "keys/grant.h"
#include "loop/condition.h"
#include "loop/reactor.h"
#include "transfer/observer.h"

namespace hfpour::keys {

/// Keys that are renewed while the run goes on: before they end, and when the store does not accept them any more.
///
/// One renewal serves everybody who waits for it. One that fails is put up with as long as the keys are good. An error
/// before there ever were keys is final (`given_up`): the issuer has tried as often as it is worth. Loop thread.
class Renewal final : public s3::KeySource {
 public:
  /// Everything lent here outlives it.
  Renewal(Issuer& issuer, Reactor& reactor, Observer& observer)
      : issuer_(issuer), reactor_(reactor), observer_(observer) {}

  Task<Result<s3::Credentials>> get(CancelToken cancel) override;
  bool refused(const s3::Credentials& used) override;

 private:
  /// When the keys are to be renewed, and from when on nobody goes on with the old ones meanwhile.
  struct Schedule {
    WallTime renew;
    WallTime insist;
  };

  bool fresh() const { return grant_ && !refused_ && (!schedule_ || now() < schedule_->renew); }
  bool usable() const { return grant_ && !refused_ && (!schedule_ || now() < schedule_->insist); }
  Task<Result<void>> renew(CancelToken cancel);
  void keep(Grant grant);
  Result<void> put_up_with(Error error);
  WallTime now() const { return reactor_.clock().wall(); }

  Issuer& issuer_;
  Reactor& reactor_;
  Observer& observer_;
  std::optional<Grant> grant_;
  std::optional<Schedule> schedule_;
  bool refused_ = false;                ///< the store did not accept the present keys
  std::optional<SteadyTime> replaced_;  ///< when the present keys came for others that were refused
  bool asking_ = false;
  std::uint64_t rounds_ = 0;      ///< of asking, ended
  std::optional<Error> failure_;  ///< of the last round
  Condition answered_;
};

}  // namespace hfpour::keys
