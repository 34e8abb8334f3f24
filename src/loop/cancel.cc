// SPDX-License-Identifier: MIT
#include "loop/cancel.h"

#include <cassert>

namespace hfpour {

bool CancelToken::cancelled() const {
  return source_ != nullptr && source_->cancelled_;
}

Error CancelToken::error() const {
  return source_ != nullptr ? source_->why_ : Error(Kind::cancelled, "cancelled");
}

CancelRegistration::CancelRegistration(CancelToken token, std::function<void()> call) {
  if (token.source_ == nullptr || token.cancelled()) return;
  source_ = token.source_;
  place_ = source_->calls_.emplace(source_->calls_.end(), this, std::move(call));
}

CancelRegistration& CancelRegistration::operator=(CancelRegistration&& other) noexcept {
  reset();
  if (other.source_ != nullptr) {
    source_ = std::exchange(other.source_, nullptr);
    place_ = other.place_;
    place_->first = this;
  }
  return *this;
}

void CancelRegistration::reset() {
  if (source_ == nullptr) return;
  std::exchange(source_, nullptr)->calls_.erase(place_);
}

CancelSource::CancelSource(CancelToken parent) {
  if (parent.cancelled()) {
    cancel(parent.error());
    return;
  }
  CancelSource* const above = parent.source_;
  parent_ = CancelRegistration(parent, [this, above] { cancel(above->why_); });
}

CancelSource::~CancelSource() {
  assert(calls_.empty() && "a token outlived its source");
}

void CancelSource::cancel(Error why) {
  if (cancelled_) return;
  cancelled_ = true;
  why_ = std::move(why);
  while (!calls_.empty()) {
    const std::function<void()> call = std::move(calls_.front().second);
    calls_.front().first->source_ = nullptr;
    calls_.pop_front();
    call();
  }
}

}  // namespace hfpour
