// SPDX-License-Identifier: MIT
#include "hub/bounded_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace hfpour::hub {
namespace {

using nlohmann::json;
using Event = json::parse_event_t;

constexpr unsigned deepest = 64;  ///< the Hub's answers have six levels; the parser keeps a little for each
constexpr std::size_t kept_levels = 3;

/// Counts brackets and the outermost commas outside of strings; whether it is JSON at all is not asked here. Before the
/// parser, which would take the square of a list's length for what it is told to throw away.
bool is_bounded(std::string_view text, std::size_t most_entries) {
  unsigned depth = 0;
  std::size_t entries = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') ++i;
    if (in_string) continue;
    if ((c == '[' || c == '{') && ++depth > deepest) return false;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (c == ',' && depth == 1 && ++entries > most_entries) return false;
  }
  return true;
}

/// Decides for each value whether it is kept.
class Filter {
 public:
  explicit Filter(const JsonShape& shape) : shape_(shape) {}

  bool keep(int depth, Event event, const json& value) {
    const auto level = static_cast<std::size_t>(depth);
    if (level > kept_levels) return false;
    if (event == Event::object_start) names_[level].clear();
    if (event == Event::key) return keep_field(level, value.get_ref<const std::string&>());
    return true;
  }
  bool good() const { return !twice_; }

 private:
  bool keep_field(std::size_t level, const std::string& name) {
    if (level == 0 || std::ranges::find(shape_.fields, name) == shape_.fields.end()) return false;
    std::vector<std::string>& names = names_[level - 1];
    twice_ |= std::ranges::find(names, name) != names.end();
    if (!twice_) names.push_back(name);
    return true;
  }

  const JsonShape& shape_;
  std::array<std::vector<std::string>, kept_levels + 1> names_;  ///< of the open object of each level
  bool twice_ = false;
};

}  // namespace

std::optional<json> parse_bounded(std::string_view text, const JsonShape& shape) {
  if (!is_bounded(text, shape.most_entries)) return std::nullopt;
  Filter filter(shape);
  const auto keep = [&filter](int depth, Event event, json& value) { return filter.keep(depth, event, value); };
  json parsed = json::parse(text.begin(), text.end(), keep, false);
  if (parsed.is_discarded() || !filter.good()) return std::nullopt;
  return parsed;
}

}  // namespace hfpour::hub
