// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <list>
#include <utility>

#include "base/error.h"

namespace hfpour {

class CancelSource;
class CancelRegistration;

/// The view of a `CancelSource` that work gets: asks, or registers to be told. Empty = never cancelled.
/// The source outlives the token's users. Loop thread.
class CancelToken {
 public:
  CancelToken() = default;
  bool cancelled() const;
  /// The error a cancelled piece of work returns.
  Error error() const;

 private:
  friend class CancelSource;
  friend class CancelRegistration;
  explicit CancelToken(CancelSource* source) : source_(source) {}
  CancelSource* source_ = nullptr;
};

/// Calls a function when a token is cancelled, unless it is destroyed before. If the token is already cancelled the
/// function is not called: look at `cancelled()` first. Loop thread.
class CancelRegistration {
 public:
  CancelRegistration() = default;
  CancelRegistration(CancelToken token, std::function<void()> call);
  CancelRegistration(const CancelRegistration&) = delete;
  CancelRegistration& operator=(const CancelRegistration&) = delete;
  CancelRegistration& operator=(CancelRegistration&& other) noexcept;
  ~CancelRegistration() { reset(); }
  void reset();

 private:
  friend class CancelSource;
  CancelSource* source_ = nullptr;
  std::list<std::pair<CancelRegistration*, std::function<void()>>>::iterator place_;
};

/// Where a cancellation begins; a child follows its parent token. Loop thread.
class CancelSource {
 public:
  CancelSource() = default;
  explicit CancelSource(CancelToken parent);
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;
  ~CancelSource();

  CancelToken token() { return CancelToken(this); }
  bool cancelled() const { return cancelled_; }
  /// Tells everyone once; `why` becomes the error of the work that stops.
  void cancel(Error why = Error(Kind::cancelled, "cancelled"));

 private:
  friend class CancelToken;
  friend class CancelRegistration;
  bool cancelled_ = false;
  Error why_;
  std::list<std::pair<CancelRegistration*, std::function<void()>>> calls_;
  CancelRegistration parent_;
};

}  // namespace hfpour
