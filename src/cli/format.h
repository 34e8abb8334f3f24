// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "transfer/observer.h"

namespace hfpour::cli {

/// `1 file`, `3 files`.
std::string plural(std::uint64_t count, std::string_view noun);

/// `0.4 s`, `45 s`, `3m05s`, `2h07m`.
std::string format_duration(Millis duration);

/// `410.3 MiB/s`.
std::string format_rate(double bytes_per_second);

/// Bytes per second over a duration; 0 when the duration is.
double rate_of(Bytes bytes, Millis duration);

/// `hub`, `hash`, `store`, `memory`.
std::string_view limit_name(Limit limit);

/// What most of the samples were; nothing when there are none.
std::optional<Limit> main_limit(const LimitSamples& samples);

/// A moment of a run, ready to be shown.
struct Snapshot {
  Bytes bytes = 0;  ///< acknowledged by the store
  Bytes total_bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t total_files = 0;
  double rate = 0;                           ///< bytes per second, lately
  std::optional<std::chrono::seconds> left;  ///< nothing: not known yet
  std::optional<Limit> limit;
};

/// The live bar in at most `columns` columns; what does not fit is left out from the right.
std::string bar_line(const Snapshot& now, std::size_t columns);

/// The calm line for when there is no terminal.
std::string progress_text(const Snapshot& now);

/// The same as `progress key=value …`, bytes as integers; the keys are stable.
std::string progress_fields(const Snapshot& now);

/// How a run ended, in one word of the JSON result.
enum class Status { poured, present, planned, failed };

std::string_view to_string(Status status);

/// Everything the summary line and the JSON result say about a run.
struct Outcome {
  Status status = Status::failed;
  std::string uri;       ///< `s3://bucket/prefix/owner/name/`
  std::string repo;      ///< `owner/name`
  std::string type;      ///< `model`, `dataset`, `space`
  std::string revision;  ///< as asked for
  std::string commit;
  std::uint64_t files = 0;  ///< selected
  Bytes bytes = 0;
  std::uint64_t poured_files = 0;  ///< moved by this run
  Bytes poured_bytes = 0;
  Millis took{0};
  Bytes peak_memory = 0;  ///< `peak_resident()`
  std::uint64_t retries = 0;
  std::optional<Limit> limit;  ///< what held the run back most
  std::string failed_file;     ///< the first file that failed for good; empty: none
  std::optional<Error> error;  ///< with `failed`
  int exit = 0;                ///< the exit status of the process
};

/// The outcome as one JSON object on one line, without a line break. The keys are stable and always
/// all there; what is not known is `""`, `0` or `null`.
std::string result_json(const Outcome& outcome);

/// What goes to stdout, without a line break: the JSON object, or the URI; nothing for a failure
/// without `json`.
std::string result_line(const Outcome& outcome, bool json);

/// The summary sentence for people.
std::string summary_text(const Outcome& outcome);

/// The summary as `summary key=value …`; the keys are stable.
std::string summary_fields(const Outcome& outcome);

/// A path, whole, with its control characters made visible.
std::string shown_path(std::string_view path);

/// A remote or composed sentence, shortened when long, with its control characters made visible.
std::string shown_text(std::string_view text);

}  // namespace hfpour::cli
