// SPDX-License-Identifier: MIT
#include "http/request.h"

#include "base/text.h"

namespace hfpour::http {

std::optional<std::string> Headers::get(std::string_view name) const {
  for (const Header& field : fields_) {
    if (same_but_for_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string> Headers::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const Header& field : fields_) {
    if (same_but_for_case(field.name, name)) values.push_back(field.value);
  }
  return values;
}

}  // namespace hfpour::http
