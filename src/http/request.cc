// SPDX-License-Identifier: MIT
#include "http/request.h"

#include "base/text.h"

namespace hfpour::http {

std::optional<std::string> Headers::get(std::string_view name) const {
  const std::string wanted = to_lower(name);
  for (const Header& field : fields_) {
    if (to_lower(field.name) == wanted) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string> Headers::all(std::string_view name) const {
  std::vector<std::string> values;
  const std::string wanted = to_lower(name);
  for (const Header& field : fields_) {
    if (to_lower(field.name) == wanted) values.push_back(field.value);
  }
  return values;
}

}  // namespace hfpour::http
