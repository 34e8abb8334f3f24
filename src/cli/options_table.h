// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/options.h"

namespace hfpour::cli {

/// A value and the flag or variable that gave it.
struct Given {
  std::string_view name;  ///< `--memory` or `HFPOUR_MEMORY`
  std::string_view text;
};

/// One setting: the single row that the parser, the environment and the help are made from.
struct Setting {
  std::string_view flag;         ///< without dashes
  std::string_view placeholder;  ///< of its value in the help; empty: a switch
  std::string_view summary;
  std::string_view variables;  ///< environment names after the `HFPOUR_` twin, blank-separated, best first
  Result<void> (*apply)(Options&, const Given&);
  std::string (*shown)(const Options&);  ///< the value as the help shows a default; empty: nothing to show
  bool empty_counts = false;             ///< an empty value says something

  bool is_switch() const { return placeholder.empty(); }
};

/// Every setting that has a flag, in the order of the help.
std::span<const Setting> settings();

/// `HFPOUR_PART_SIZE` for `part-size`.
std::string twin(std::string_view flag);

/// Refuses control characters and broken UTF-8, naming the setting and the value.
Result<void> check_text(const Given& given);

/// The sentence about a value that breaks a rule.
Error bad_value(const Given& given, std::string_view rule);

/// What a setting shows that has no default.
std::string nothing(const Options& options);

/// `8Mi` for 8 MiB: a size as a person would write it on the command line.
std::string size_text(Bytes bytes);

}  // namespace hfpour::cli
