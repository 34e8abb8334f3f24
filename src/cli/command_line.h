// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "cli/options_table.h"

namespace hfpour::cli {

/// The command line, sorted but not yet understood.
struct CommandLine {
  Action action = Action::run;
  std::map<std::string_view, std::vector<std::string>> flags;  ///< by name without dashes; values in the order given
  std::vector<std::string> arguments;
};

/// The error of a wrong command line: exit 2.
Error usage(std::string sentence);

/// A flag nobody knows, as written: the sentence says which one was probably meant, and never repeats its value.
Error unknown_flag(std::string_view written);

Error needs_value(const Setting& setting);

/// Sorts the words after the program's name. Errors: `usage`.
Result<CommandLine> split(std::span<const char* const> words);

}  // namespace hfpour::cli
