// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>

namespace hfpour::hub {

/// What is looked for in a document that a stranger sent.
struct JsonShape {
  std::span<const std::string_view> fields;  ///< of any object; all others are skipped and take no memory
  std::size_t most_entries = 100;            ///< of the outermost list or object
};

/// Parses `text` in memory that its shape bounds, whatever was sent: only the named fields are kept, down to three
/// levels. Nothing if it is not JSON, nested deeper than anything the Hub sends, too long, or an object of it holds a
/// named field twice.
std::optional<nlohmann::json> parse_bounded(std::string_view text, const JsonShape& shape);

}  // namespace hfpour::hub
