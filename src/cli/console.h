// SPDX-License-Identifier: MIT
#pragma once

#include <spdlog/logger.h>

#include <cstdio>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "cli/format.h"
#include "cli/report.h"
#include "transfer/observer.h"

namespace hfpour::cli {

/// The highest resident memory of this process so far; 0 where `/proc` does not say.
Bytes peak_resident();

/// The `VmHWM` line of a `/proc/self/status`; 0 if there is none.
Bytes parse_peak(std::string_view status);

/// How a `Console` talks.
struct ConsoleSettings {
  bool quiet = false;     ///< only warnings and errors
  bool progress = true;   ///< bar or periodic lines
  bool terminal = false;  ///< the screen is one: a live bar; else one plain line every ten seconds
  /// `json`: `key=value` messages, bytes as integers, and no bar.
  LogFormat format = LogFormat::text;
  std::size_t columns = 0;  ///< of the bar; 0: ask the terminal before each drawing
};

/// What a person sees of a run, on stderr. Single thread: the loop's.
///
/// Lines go through the logger; the live bar goes to `screen` and is wiped before each line, so the
/// two can share a terminal. Writes nothing to stdout: the result is the caller's to print
/// (`result_line`).
class Console final : public Observer {
 public:
  /// Borrows all three for as long as it lives. `started` is when the run began.
  Console(spdlog::logger& log, std::FILE* screen, const Progress& progress, ConsoleSettings settings,
          SteadyTime started);
  ~Console() override;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void planned(const PlanFacts& plan) override;
  void file_done(const FileFacts& file) override;
  void file_failed(std::string_view path, const Error& error) override;
  void retrying(const RetryFacts& retry) override;
  void remark(std::string_view sentence) override;
  bool tracing() const override;
  void trace(std::string_view line) override;

  /// From now on each file that ends also goes into `report`, which outlives this.
  void report_to(Report& report) { report_ = &report; }

  /// The first file that failed for good; empty if none has.
  const std::string& failed_file() const { return failed_file_; }

  /// Looks at the progress and redraws or writes what is due. To be called about five times a
  /// second; more often is harmless.
  void tick(SteadyTime now);

  /// Wipes the bar, for whoever writes to the same terminal next; the next tick draws it again.
  void wipe();

  /// The summary line; the bar is gone for good.
  void finish(const Outcome& outcome);

 private:
  struct Sample {
    SteadyTime time;
    Bytes bytes = 0;
    LimitSamples limits{};
  };

  bool draws_bar() const;
  std::size_t columns() const;
  void remember(SteadyTime now);
  Snapshot snapshot() const;
  void draw(const Snapshot& now);
  void say(spdlog::level::level_enum level, const std::string& line);

  spdlog::logger& log_;
  std::FILE* screen_;
  const Progress& progress_;
  ConsoleSettings settings_;
  Report* report_ = nullptr;
  std::string failed_file_;
  bool planned_ = false;  // before the plan there is nothing to show
  bool finished_ = false;
  bool drawn_ = false;  // a bar stands on the screen
  SteadyTime next_draw_;
  SteadyTime next_line_;
  std::deque<Sample> window_;  // oldest first, bounded by its time span and spacing
};

}  // namespace hfpour::cli
