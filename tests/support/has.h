// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace hfpour::testing {

/// Whether `piece` stands anywhere in `text`.
inline bool has(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

}  // namespace hfpour::testing
