// SPDX-License-Identifier: MIT
#include "keys/renewal.h"

#include <algorithm>
#include <utility>

namespace hfpour::keys {
namespace {

/// As AWS' own tools do it: tried from a quarter of an hour before the end, and insisted on five minutes later
/// (contract s3, 5). Keys of a shorter life are renewed when half of it is over.
constexpr std::chrono::minutes renew_before{15};
constexpr std::chrono::minutes insist_before{10};
/// Between two renewals that failed while the keys were still good.
constexpr std::chrono::seconds try_again_after{30};
/// Keys that are past their end by this machine's clock: the clock may be wrong, and the store is the judge.
constexpr std::chrono::seconds look_again_after{60};
/// Keys that came for refused ones, and are refused so soon themselves: it is not their age (contract s3 §4.11: refresh
/// once).
constexpr std::chrono::seconds on_probation{60};

bool same(const s3::Credentials& a, const s3::Credentials& b) {
  return a.access_key_id == b.access_key_id && a.secret.reveal() == b.secret.reveal() &&
         a.session_token.reveal() == b.session_token.reveal();
}

}  // namespace

Task<Result<s3::Credentials>> Renewal::get(CancelToken cancel) {
  while (!fresh()) {
    if (cancel.cancelled()) co_return cancel.error();
    if (!asking_) {
      asking_ = true;  // here: a task begins later than it is awaited
      Result<void> renewed = co_await renew(cancel);
      if (!renewed) co_return renewed.error();
      continue;
    }
    if (usable()) break;
    const std::uint64_t before = rounds_;
    co_await answered_.wait(cancel);
    if (rounds_ != before && failure_) co_return *failure_;
  }
  co_return grant_->credentials;
}

bool Renewal::refused(const s3::Credentials& used) {
  if (!grant_) return false;
  if (!same(grant_->credentials, used)) return true;  // they have been renewed meanwhile
  if (!issuer_.renews()) return false;
  if (replaced_ && reactor_.clock().now() - *replaced_ < on_probation) return false;
  refused_ = true;
  return true;
}

Task<Result<void>> Renewal::renew(CancelToken cancel) {
  Result<Grant> grant = co_await issuer_.fetch(cancel);
  asking_ = false;
  ++rounds_;
  failure_.reset();
  Result<void> done;
  if (grant) {
    keep(std::move(*grant));
  } else {
    done = put_up_with(grant.error());
    // Who is stopped says nothing about the place: another one asks again.
    if (!done && done.error().kind != Kind::cancelled) failure_ = done.error();
  }
  answered_.notify();
  co_return done;
}

void Renewal::keep(Grant grant) {
  grant_ = std::move(grant);
  replaced_.reset();
  if (std::exchange(refused_, false)) replaced_ = reactor_.clock().now();
  schedule_.reset();
  if (!grant_->expires) return;
  const WallTime end = *grant_->expires;
  const auto left = end - now();
  schedule_ = Schedule{std::max<WallTime>(end - renew_before, now() + left / 2),
                       std::max<WallTime>(end - insist_before, now() + left * 3 / 4)};
  if (left <= left.zero()) schedule_ = Schedule{now() + look_again_after, now() + look_again_after};
}

Result<void> Renewal::put_up_with(Error error) {
  if (error.kind == Kind::cancelled) return error;
  error.given_up = !grant_;
  const bool good = grant_ && !refused_ && now() < grant_->expires.value_or(now());
  if (!good) return error;
  observer_.remark("the store's keys could not be renewed, going on with the old ones: " + error.describe());
  schedule_ = Schedule{now() + try_again_after, now() + try_again_after};
  return {};
}

}  // namespace hfpour::keys
