// SPDX-License-Identifier: MIT
#pragma once

#include "cli/options.h"
#include "loop/signals.h"

namespace hfpour::run {

/// Runs `hfpour cat`, `tar`, `put` or `gc` to its end and gives the exit status. What people read goes to stderr;
/// stdout is the stream, for `put` the object's address, for `gc` a line for each upload.
///
/// A reader of the stream that leaves early ends it without a word and with 141, which is what a shell shows of a
/// program that SIGPIPE has killed.
int pipe_command(const cli::Options& options, Signals& signals);

}  // namespace hfpour::run
