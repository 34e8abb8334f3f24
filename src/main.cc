// SPDX-License-Identifier: MIT
// Wiring and nothing more: read the options, make what a run needs, run it, say how it ended.
#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <span>

#include "cli/console.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/format.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/pipe_options.h"
#include "cli/report.h"
#include "cli/termination.h"
#include "loop/deadline.h"
#include "loop/signals.h"
#include "run/pipe_command.h"
#include "run/run.h"
#include "run/settings.h"

namespace hfpour {
namespace {

/// A descriptor of 0, 1, 2 that the caller closed would be given to the next socket, and logs would go there. Opened
/// the wrong way round: a stream from or into nowhere must fail, not pass for an empty one.
void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const int way = fd == STDIN_FILENO ? O_WRONLY : fd == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", way) != fd) std::abort();
  }
}

/// Many lanes need more sockets than the 256 or 1,024 that a shell may give at first; nothing here uses select(), which
/// is what the first limit is kept low for. What the second limit forbids stays forbidden.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// One line on stdout. False, and a sentence on stderr, when nobody can have got it.
bool say(const std::string& text) {
  const bool said = std::fputs((text + "\n").c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!said) std::fprintf(stderr, "hfpour: the result could not be written to stdout\n");
  return said;
}

cli::ConsoleSettings console_settings(const cli::Options& options) {
  cli::ConsoleSettings settings;
  settings.quiet = options.quiet;
  settings.progress = options.progress;
  settings.terminal = isatty(STDERR_FILENO) == 1;
  settings.format = options.log_format;
  return settings;
}

/// The report, if one is wanted.
Result<std::unique_ptr<cli::Report>> open_report(const cli::Options& options) {
  if (options.report.empty()) return std::unique_ptr<cli::Report>();
  if (options.report == "-" && options.json) {
    return Error(Kind::usage,
                 "--report - and --json both want stdout; the report holds what --json prints, under \"run\"");
  }
  Result<cli::Report> report = cli::Report::open(options.report);
  if (!report) return report.error();
  return std::make_unique<cli::Report>(std::move(*report));
}

/// What is left to say when all is over: stdout, the report, the last words of a container. Gives the exit status.
int conclude(const cli::Options& options, cli::Outcome outcome, cli::Report* report) {
  Result<void> reported = report == nullptr ? Result<void>() : report->finish(outcome);
  if (!reported) std::fprintf(stderr, "hfpour: %s\n", reported.error().sentence.c_str());
  const bool taken = report != nullptr && report->on_stdout();
  const std::string line = taken ? "" : cli::result_line(outcome, options.json);
  const bool said = line.empty() || say(line);
  if (outcome.exit == 0 && !(said && reported)) outcome.exit = static_cast<int>(cli::ExitStatus::internal);
  cli::leave_termination_message(options.termination_log, outcome);
  return outcome.exit;
}

/// Runs to the end and gives the exit status. `report` may be null.
int pour(const cli::Options& options, const run::Settings& settings, Signals& signals, cli::Report* report) {
  const SystemClock clock;
  const SteadyTime begun = clock.now();
  const std::unique_ptr<spdlog::logger> log = make_logger(options.log_format, options.log_level);
  Progress progress;
  Random random(std::random_device{}());
  cli::Console console(*log, stderr, progress, console_settings(options), begun);
  if (report != nullptr) console.report_to(*report);
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
  std::optional<Deadline> deadline;
  if (settings.deadline.count() > 0) {
    deadline.emplace(
        reactor, settings.deadline, stop.token(),
        Error(Kind::cancelled, fmt::format("the deadline of {} is over", cli::format_duration(settings.deadline))));
  }
  const Result<void> done = reactor.run(run.go(deadline ? deadline->token() : stop.token()));

  cli::Outcome outcome = run.outcome();
  outcome.took = std::chrono::duration_cast<Millis>(clock.now() - begun);
  outcome.peak_memory = cli::peak_resident();
  outcome.retries = progress.retries;
  outcome.failed_file = console.failed_file();
  if (!done) {
    outcome.status = cli::Status::failed;
    outcome.error = done.error();
    // Only two things cancel a whole run.
    const bool late = done.error().kind == Kind::cancelled && stopped_by == 0;
    outcome.exit = stopped_by != 0 ? 128 + stopped_by
                   : late          ? static_cast<int>(cli::ExitStatus::deadline)
                                   : cli::exit_status(done.error().kind);
  }
  console.finish(outcome);
  return conclude(options, std::move(outcome), report);
}

int run_program(std::span<const char* const> arguments) {
  const cli::Environment environment = cli::Environment::from(environ);
  const std::string last_words = cli::termination_path(environment);
  Result<cli::Options> options = cli::read_options(arguments, environment);
  if (!options) return cli::refuse(options.error(), last_words);
  options->termination_log = last_words;
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
  if (!settings) return cli::refuse(settings.error(), last_words);
  Result<std::unique_ptr<cli::Report>> report = open_report(*options);
  if (!report) return cli::refuse(report.error(), last_words);
  Signals signals({SIGTERM, SIGINT});
  return pour(*options, *settings, signals, report->get());
}

}  // namespace
}  // namespace hfpour

int main(int argc, char** argv) {
  hfpour::keep_standard_descriptors();
  hfpour::raise_descriptor_limit();
  // Else glibc walks through all small pieces that were given back whenever a large one is asked for, several times a
  // file: 2 to 4 % of the CPU of many small files.
  mallopt(M_MXFAST, 0);
  // Else the first checkpoint of many files that is freed teaches glibc to keep up to 64 MiB for the next.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
  return hfpour::run_program(std::span<const char* const>(argv, static_cast<std::size_t>(argc)));
}
