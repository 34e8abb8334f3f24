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
  /// First and last four characters, or only dots when the value is shorter than 16 characters.
  std::string masked() const {
    if (value_.size() < 16) return value_.empty() ? "" : "****";
    return value_.substr(0, 4) + "…" + value_.substr(value_.size() - 4);
  }

 private:
  std::string value_;
};

}  // namespace hfpour
