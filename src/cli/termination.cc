// SPDX-License-Identifier: MIT
#include "cli/termination.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "cli/exit_status.h"

namespace hfpour::cli {
namespace {

bool worth_another_run(int code) {
  switch (static_cast<ExitStatus>(code)) {
    case ExitStatus::temporary:
    case ExitStatus::deadline:
    case ExitStatus::lease:
    case ExitStatus::interrupted:
    case ExitStatus::terminated: return true;
    default: return false;
  }
}

/// What whoever reads the message could do about it.
std::string_view hint_for(int code) {
  switch (static_cast<ExitStatus>(code)) {
    case ExitStatus::done: return "";
    case ExitStatus::internal: return "a bug, or nowhere to write the result: please report it with the log";
    case ExitStatus::usage: return "correct the setting that the message names; see hfpour --help";
    case ExitStatus::not_found: return "check the names; a private repository also needs HF_TOKEN";
    case ExitStatus::empty_selection: return "check ALLOW_PATTERNS, IGNORE_PATTERNS, --include, --exclude";
    case ExitStatus::temporary: return "run it again: files that are finished are kept";
    case ExitStatus::forbidden:
      return "check HF_TOKEN and the repository's terms, or the store's credentials and policy";
    case ExitStatus::integrity:
      return "what came differs from the Hub's hash twice: suspect a mirror or a proxy between";
    case ExitStatus::quota: return "make room in the bucket, or raise its quota";
    case ExitStatus::deadline:
    case ExitStatus::lease:
    case ExitStatus::interrupted:
    case ExitStatus::terminated: return "run it again: it goes on from the checkpoint";
    case ExitStatus::reader_left: return "";
  }
  return "";
}

std::string written(const Outcome& o, std::size_t limit) {
  const std::string_view reason = o.error ? hfpour::to_string(o.error->kind) : to_string(o.status);
  return fmt::format(R"({{"code":{},"reason":{},"message":{},"file":{},"commit":{},"retryable":{},"hint":{}}})", o.exit,
                     json_quote(reason), json_quote(printable(o.error ? o.error->describe() : summary_text(o), limit)),
                     json_quote(printable(o.failed_file, limit)), json_quote(printable(o.commit, 64)),
                     worth_another_run(o.exit), json_quote(hint_for(o.exit)));
}

}  // namespace

std::string termination_path(const Environment& env) {
  const std::string_view wanted = env.get("HFPOUR_TERMINATION_LOG");
  return std::string(wanted.empty() ? termination_log : wanted);
}

std::string termination_message(const Outcome& outcome) {
  std::size_t limit = 1'600;
  std::string message = written(outcome, limit);
  while (message.size() > most_termination_bytes && limit > 1) {
    limit /= 2;
    message = written(outcome, limit);
  }
  return message;
}

void leave_termination_message(const std::string& path, const Outcome& outcome) {
  if (access(path.c_str(), W_OK) != 0) return;  // outside of a Pod no file is opened for writing at all
  // Without waiting: somebody may have named a pipe that nobody reads.
  const int fd = open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return;
  const std::string message = termination_message(outcome) + "\n";
  const ssize_t sent = write(fd, message.data(), std::min(message.size(), most_termination_bytes));
  (void)sent;  // it was worth a try
  close(fd);
}

int refuse(const Error& error, const std::string& path) {
  std::fprintf(stderr, "hfpour: %s\n", error.sentence.c_str());
  Outcome outcome;
  outcome.error = error;
  outcome.exit = exit_status(error.kind);
  leave_termination_message(path, outcome);
  return outcome.exit;
}

}  // namespace hfpour::cli
