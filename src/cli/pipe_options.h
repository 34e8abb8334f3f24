// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "cli/options_table.h"

namespace hfpour::cli {

/// The command that `word` names; nothing for any other word.
std::optional<Action> pipe_command(std::string_view word);

/// The flags that only commands of the pipe have.
std::span<const Setting> pipe_settings();

/// All flags there are: for telling a misplaced one from an unknown one.
std::vector<const Setting*> all_settings();

/// The flags of a command of the pipe, in the order of its help.
std::vector<const Setting*> settings_of(Action command);

/// Puts the words after the command where they belong. Errors: `usage`.
Result<void> place_pipe_arguments(std::span<const std::string> words, Options& options);

/// True when the options name a place in a bucket, so that the store's settings are needed.
bool needs_store(const Options& options);

/// The text of `hfpour COMMAND --help`: at most 100 columns.
std::string pipe_help(Action command);

}  // namespace hfpour::cli
