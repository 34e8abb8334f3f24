// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "cli/environment.h"
#include "cli/format.h"

namespace hfpour::cli {

/// Where Kubernetes lays the file of a container's last words (`terminationMessagePath`).
inline constexpr const char* termination_log = "/dev/termination-log";

/// What Kubernetes keeps of a container's termination message, in bytes.
/// Source: Kubernetes documentation, "Determine the Reason for Pod Failure": 4096 bytes a container.
inline constexpr std::size_t most_termination_bytes = 4096;

/// The file for the last words: what `HFPOUR_TERMINATION_LOG` names, else Kubernetes' own.
std::string termination_path(const Environment& env);

/// How a run ended, as one JSON object of at most `most_termination_bytes`: `code` (the exit status), `reason` (the
/// kind of error, or the status of a success), `message`, `file`, `commit`, `retryable`, `hint`. The keys are stable
/// and always all there. Long texts are cut until it fits. Pure; any thread.
std::string termination_message(const Outcome& outcome);

/// Writes the message into the file at `path`, if there is one that may be written: it is never created, and a failure
/// is silent, because outside of a Pod there is no such file.
void leave_termination_message(const std::string& path, const Outcome& outcome);

/// Ends a program that has not begun: the sentence on stderr, the message at `path`. Gives the exit status.
int refuse(const Error& error, const std::string& path);

}  // namespace hfpour::cli
