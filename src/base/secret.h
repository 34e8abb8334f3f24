// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace hfpour {

/// A string that cannot be printed by accident: it has no conversion to text, only the explicit `reveal`.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  bool empty() const { return value_.empty(); }
  /// The value itself: for a header or a signature, never for a log.
  const std::string& reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace hfpour
