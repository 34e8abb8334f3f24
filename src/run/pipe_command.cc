// SPDX-License-Identifier: MIT
#include "run/pipe_command.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>

#include "base/text.h"
#include "cli/console.h"
#include "cli/exit_status.h"
#include "cli/termination.h"
#include "loop/task_group.h"
#include "run/gc.h"
#include "run/put.h"
#include "run/stream_out.h"

namespace hfpour::run {
namespace {

constexpr Millis line_every{10'000};  ///< as the console's own

/// The input of `put`: stdin, or a file that is opened here and closed at the end.
class Input {
 public:
  static Result<Input> open(const std::string& name) {
    Input input;
    if (name == "-") return input;
    input.fd_ = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat facts {};
    const bool usable = input.fd_ >= 0 && fstat(input.fd_, &facts) == 0 && !S_ISDIR(facts.st_mode);
    if (!usable) {
      const std::string why = input.fd_ >= 0 && S_ISDIR(facts.st_mode) ? "it is a folder" : std::strerror(errno);
      return Error(Kind::usage, fmt::format("'{}' cannot be read: {}", printable(name, 200), why));
    }
    // Those of /proc say 0 whatever they hold.
    if (S_ISREG(facts.st_mode) && facts.st_size > 0) input.size_ = static_cast<Bytes>(facts.st_size);
    return input;
  }
  Input(Input&& other) noexcept : fd_(std::exchange(other.fd_, STDIN_FILENO)), size_(other.size_) {}
  Input& operator=(Input&&) = delete;
  ~Input() {
    if (fd_ > STDERR_FILENO) close(fd_);
  }

  int fd() const { return fd_; }
  std::optional<Bytes> size() const { return size_; }

 private:
  Input() = default;
  int fd_ = STDIN_FILENO;
  std::optional<Bytes> size_;
};

cli::ConsoleSettings console_settings(const cli::Options& options) {
  cli::ConsoleSettings settings;
  settings.quiet = options.quiet;
  settings.progress = false;  // nobody knows how long a stream will be
  settings.format = options.log_format;
  return settings;
}

/// One run of one command.
class Command {
 public:
  Command(const cli::Options& options, const PipeSettings& settings, Signals& signals)
      : options_(options),
        settings_(settings),
        log_(make_logger(options.log_format, options.log_level)),
        random_(std::random_device{}()),
        console_(*log_, stderr, progress_, console_settings(options), clock_.now()),
        reactor_(clock_),
        begun_(clock_.now()) {
    for (const std::string& warning : options.warnings) console_.remark(warning);
    signals.deliver_to(reactor_, [this](int number) {
      if (stopped_by_ != 0) _exit(128 + number);
      stopped_by_ = number;
      stop_.cancel(Error(Kind::cancelled, number == SIGTERM ? "terminated" : "interrupted"));
    });
    outcome_.uri = settings.name();
    outcome_.files = 1;
  }

  int stream_out() {
    Descriptor out(reactor_, STDOUT_FILENO, "stdout");
    StreamOut command(settings_, world(), out);
    const Result<void> done = reactor_.run(command.go(stop_.token()));
    if (done) return 0;
    if (reader_left(done.error())) return static_cast<int>(cli::ExitStatus::reader_left);
    return fail(done.error());
  }

  int put(const Input& input) {
    if (input.fd() == STDIN_FILENO && isatty(STDIN_FILENO) == 1) {
      console_.remark("reading from the terminal; Ctrl-D on a line of its own ends the input");
    }
    Descriptor in(reactor_, input.fd(),
                  input.fd() == STDIN_FILENO ? "stdin" : "'" + printable(settings_.input, 200) + "'");
    Put command(settings_, world(), in, input.size());
    const Result<Funnel::Stored> stored = reactor_.run(put_and_tell(command, stop_.token()));
    if (!stored) return fail(stored.error());
    outcome_.status = cli::Status::poured;
    outcome_.poured_files = 1;
    outcome_.bytes = stored->size;
    outcome_.poured_bytes = stored->size;
    return conclude();
  }

  int gc() {
    bool said = true;
    std::uint64_t dropped = 0;
    Gc command(settings_, world(), [this, &said, &dropped](const Sweep::Found& found) {
      dropped += found.idle ? 1 : 0;
      said = said && std::fputs(line_of(found).c_str(), stdout) >= 0;
    });
    const Result<void> done = reactor_.run(command.go(stop_.token()));
    if (!done) {
      std::fflush(stdout);
      return fail(done.error());
    }
    if (!options_.quiet) {
      log_->info("{} {} of an age of {} s or more", dropped,
                 settings_.dry_run ? "uploads would be dropped" : "uploads dropped", settings_.older_than.count());
    }
    return said && std::fflush(stdout) == 0 ? 0 : static_cast<int>(cli::ExitStatus::internal);
  }

 private:
  std::string line_of(const Sweep::Found& found) const {
    const std::string_view what = !found.idle ? "kept" : settings_.dry_run ? "would drop" : "dropped";
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall() - found.last).count();
    if (options_.json) {
      return fmt::format("{{\"uri\": {}, \"age_seconds\": {}, \"action\": \"{}\"}}\n", json_quote(found.uri), age,
                         what);
    }
    return fmt::format("{} {} ({} old)\n", what, printable(found.uri, 2'000),
                       cli::format_duration(std::chrono::seconds(age)));
  }

  Task<Result<Funnel::Stored>> put_and_tell(Put& command, CancelToken cancel) {
    CancelSource beside(cancel);
    TaskGroup telling(reactor_.ready(), cancel);
    telling.spawn(tell(beside.token()));
    Result<Funnel::Stored> stored = co_await command.go(cancel);
    beside.cancel();
    const Result<void> told = co_await telling.join();
    if (!told) co_return told.error();
    co_return stored;
  }

  /// One calm line now and then: a stream may take hours, and nobody knows its length.
  Task<Result<void>> tell(CancelToken cancel) {
    while (options_.progress && !options_.quiet) {
      const Bytes before = progress_.stored_bytes;
      co_await reactor_.sleep(line_every, cancel);
      if (cancel.cancelled()) break;
      const double rate = cli::rate_of(progress_.stored_bytes - before, line_every);
      if (options_.log_format == LogFormat::json) {
        log_->info("progress bytes={} rate={:.0f}", progress_.stored_bytes, rate);
      } else {
        log_->info("{} stored, {}", format_bytes(progress_.stored_bytes), cli::format_rate(rate));
      }
    }
    co_return Result<void>();
  }

  World world() { return World{reactor_, console_, progress_, random_}; }

  int fail(const Error& error) {
    outcome_.error = error;
    outcome_.exit = stopped_by_ != 0 ? 128 + stopped_by_ : cli::exit_status(error.kind);
    return conclude();
  }

  /// Says how it went: on stderr, and of `put` on stdout as well.
  int conclude() {
    outcome_.took = std::chrono::duration_cast<Millis>(clock_.now() - begun_);
    outcome_.peak_memory = cli::peak_resident();
    outcome_.retries = progress_.retries;
    outcome_.failed_file = console_.failed_file();
    console_.finish(outcome_);
    const std::string line = settings_.command == cli::Action::put ? cli::result_line(outcome_, options_.json) : "";
    const bool said = line.empty() || (std::fputs((line + "\n").c_str(), stdout) >= 0 && std::fflush(stdout) == 0);
    if (!said) std::fprintf(stderr, "hfpour: the result could not be written to stdout\n");
    if (!said && outcome_.exit == 0) outcome_.exit = static_cast<int>(cli::ExitStatus::internal);
    cli::leave_termination_message(options_.termination_log, outcome_);
    return outcome_.exit;
  }

  const cli::Options& options_;
  const PipeSettings& settings_;
  const SystemClock clock_;
  const std::unique_ptr<spdlog::logger> log_;
  Progress progress_;
  Random random_;
  cli::Console console_;
  Reactor reactor_;
  const SteadyTime begun_;
  CancelSource stop_;
  int stopped_by_ = 0;
  cli::Outcome outcome_;
};

}  // namespace

int pipe_command(const cli::Options& options, Signals& signals) {
  const Result<PipeSettings> settings = check_pipe(options);
  if (!settings) return cli::refuse(settings.error(), options.termination_log);
  if (options.action == cli::Action::gc) return Command(options, *settings, signals).gc();
  if (options.action != cli::Action::put) return Command(options, *settings, signals).stream_out();
  const Result<Input> input = Input::open(settings->input);
  if (!input) return cli::refuse(input.error(), options.termination_log);
  return Command(options, *settings, signals).put(*input);
}

}  // namespace hfpour::run
