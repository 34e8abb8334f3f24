// SPDX-License-Identifier: MIT
// Wiring and nothing more: read the options, make what a run needs, run it, say how it ended.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <random>
#include <span>

#include "cli/console.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/format.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/pipe_options.h"
#include "loop/signals.h"
#include "run/pipe_command.h"
#include "run/run.h"
#include "run/settings.h"

namespace hfpour {
namespace {

/// A descriptor of 0, 1, 2 that the caller closed would be given to the next socket, and logs would go there. Opened the
/// wrong way round: a stream from or into nowhere must fail, not pass for an empty one.
void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const int way = fd == STDIN_FILENO ? O_WRONLY : fd == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", way) != fd) std::abort();
  }
}

/// One line on stdout. False, and a sentence on stderr, when nobody can have got it.
bool say(const std::string& text) {
  const bool said = std::fputs((text + "\n").c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!said) std::fprintf(stderr, "hfpour: the result could not be written to stdout\n");
  return said;
}

int refuse(const Error& error) {
  std::fprintf(stderr, "hfpour: %s\n", error.sentence.c_str());
  return cli::exit_status(error.kind);
}

cli::ConsoleSettings console_settings(const cli::Options& options) {
  cli::ConsoleSettings settings;
  settings.quiet = options.quiet;
  settings.progress = options.progress;
  settings.terminal = isatty(STDERR_FILENO) == 1;
  settings.format = options.log_format;
  return settings;
}

/// Runs to the end and gives the exit status.
int pour(const cli::Options& options, const run::Settings& settings, Signals& signals) {
  const SystemClock clock;
  const SteadyTime begun = clock.now();
  const std::unique_ptr<spdlog::logger> log = make_logger(options.log_format, options.log_level);
  Progress progress;
  Random random(std::random_device{}());
  cli::Console console(*log, stderr, progress, console_settings(options), begun);
  for (const std::string& warning : options.warnings) console.remark(warning);
  Reactor reactor(clock);
  CancelSource stop;
  int stopped_by = 0;
  signals.deliver_to(reactor, [&stop, &stopped_by](int number) {
    if (stopped_by != 0) _exit(128 + number);
    stopped_by = number;
    stop.cancel(Error(Kind::cancelled, number == SIGTERM ? "terminated" : "interrupted"));
  });

  run::Run run(settings, reactor, console, progress, random);
  const Result<void> done = reactor.run(run.go(stop.token()));

  cli::Outcome outcome = run.outcome();
  outcome.took = std::chrono::duration_cast<Millis>(clock.now() - begun);
  outcome.peak_memory = cli::peak_resident();
  outcome.retries = progress.retries;
  if (!done) {
    outcome.status = cli::Status::failed;
    outcome.error = done.error();
    outcome.exit = stopped_by != 0 ? 128 + stopped_by : cli::exit_status(done.error().kind);
  }
  console.finish(outcome);
  const std::string line = cli::result_line(outcome, options.json);
  if (!line.empty() && !say(line) && outcome.exit == 0) return static_cast<int>(cli::ExitStatus::internal);
  return outcome.exit;
}

int run_program(std::span<const char* const> arguments) {
  const Result<cli::Options> options = cli::read_options(arguments, cli::Environment::from(environ));
  if (!options) return refuse(options.error());
  if (options->action == cli::Action::help) {
    return say(options->help_for ? cli::pipe_help(*options->help_for) : cli::help_text()) ? 0 : 1;
  }
  if (options->action == cli::Action::version) {
    return say("hfpour " HFPOUR_VERSION) ? 0 : 1;
  }
  if (options->action != cli::Action::run) {
    Signals signals({SIGTERM, SIGINT});
    return run::pipe_command(*options, signals);
  }
  const Result<run::Settings> settings = run::check(*options);
  if (!settings) return refuse(settings.error());
  Signals signals({SIGTERM, SIGINT});
  return pour(*options, *settings, signals);
}

}  // namespace
}  // namespace hfpour

int main(int argc, char** argv) {
  hfpour::keep_standard_descriptors();
  return hfpour::run_program(std::span<const char* const>(argv, static_cast<std::size_t>(argc)));
}
