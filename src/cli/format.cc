// SPDX-License-Identifier: MIT
#include "cli/format.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::cli {
namespace {

/// Whole percent, rounded down: 100 means all of it.
std::uint64_t percent(const Snapshot& now) {
  if (now.total_bytes == 0) return 0;
  const double share = static_cast<double>(now.bytes) / static_cast<double>(now.total_bytes);
  const auto whole = static_cast<std::uint64_t>(std::min(share, 1.0) * 100.0);
  return now.bytes < now.total_bytes ? std::min<std::uint64_t>(whole, 99) : whole;
}

std::string gauge(std::uint64_t percent_done, std::size_t cells) {
  const std::size_t full = static_cast<std::size_t>(percent_done) * cells / 100;
  return "[" + std::string(full, '=') + std::string(cells - full, ' ') + "]";
}

std::string time_left(const Snapshot& now) {
  return now.left ? format_duration(*now.left) : "--";
}

}  // namespace

std::string plural(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string format_duration(Millis duration) {
  const auto ms = std::max<Millis::rep>(duration.count(), 0);
  if (ms < 9950) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000.0);
  const auto seconds = (ms + 500) / 1000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

std::string format_rate(double bytes_per_second) {
  return format_bytes(static_cast<Bytes>(std::clamp(bytes_per_second, 0.0, 1e18))) + "/s";
}

double rate_of(Bytes bytes, Millis duration) {
  if (duration.count() <= 0) return 0;
  return static_cast<double>(bytes) * 1000.0 / static_cast<double>(duration.count());
}

std::string_view limit_name(Limit limit) {
  switch (limit) {
    case Limit::hub: return "hub";
    case Limit::hash: return "hash";
    case Limit::store: return "store";
    case Limit::memory: return "memory";
    case Limit::cpu: return "cpu";
  }
  return "hub";
}

std::optional<Limit> main_limit(const LimitSamples& samples) {
  const auto* const most = std::max_element(std::begin(samples), std::end(samples));
  if (*most == 0) return std::nullopt;
  return static_cast<Limit>(most - std::begin(samples));
}

std::string bar_line(const Snapshot& now, std::size_t columns) {
  constexpr std::size_t most_cells = 24;
  const std::uint64_t done = percent(now);
  std::vector<std::string> pieces = {fmt::format("{:>3}%", done)};
  pieces.push_back(fmt::format("{} of {}", format_bytes(now.bytes), format_bytes(now.total_bytes)));
  pieces.push_back(format_rate(now.rate));
  pieces.push_back("ETA " + time_left(now));
  pieces.push_back(fmt::format("{}/{} files", now.files, now.total_files));
  if (now.limit) pieces.push_back(fmt::format("limit: {}", limit_name(*now.limit)));
  std::string line;
  for (const std::string& piece : pieces) {
    const std::string joined = line.empty() ? piece : line + "  " + piece;
    if (joined.size() > columns) break;
    line = joined;
  }
  if (line.size() + 8 > columns) return line;
  const std::size_t cells = std::min(most_cells, columns - line.size() - 3);
  return gauge(done, cells) + " " + line;
}

std::string progress_text(const Snapshot& now) {
  std::string line =
      fmt::format("{} of {} ({}%), {}, ETA {}, {} of {} files", format_bytes(now.bytes), format_bytes(now.total_bytes),
                  percent(now), format_rate(now.rate), time_left(now), now.files, now.total_files);
  if (now.limit) line += fmt::format(", limited by {}", limit_name(*now.limit));
  return line;
}

std::string progress_fields(const Snapshot& now) {
  return fmt::format(
      "progress bytes={} total_bytes={} rate={:.0f} eta_seconds={} files={} total_files={} "
      "limit={}",
      now.bytes, now.total_bytes, now.rate, now.left ? now.left->count() : -1, now.files, now.total_files,
      now.limit ? limit_name(*now.limit) : "none");
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::poured: return "poured";
    case Status::present: return "present";
    case Status::planned: return "planned";
    case Status::failed: return "failed";
  }
  return "failed";
}

std::string result_json(const Outcome& o) {
  std::string error = "null";
  if (o.error) {
    const std::string_view kind = hfpour::to_string(o.error->kind);
    error = fmt::format(R"({{"kind":{},"message":{},"http_status":{},"code":{},"request_id":{},"exit":{}}})",
                        json_quote(kind), json_quote(o.error->sentence), o.error->http_status,
                        json_quote(o.error->code), json_quote(o.error->request_id), o.exit);
  }
  const std::string limit = o.limit ? json_quote(limit_name(*o.limit)) : "null";
  return fmt::format(R"({{"uri":{},"repo":{},"type":{},"revision":{},"commit":{},"status":{},)"
                     R"("files":{},"bytes":{},)"
                     R"("poured_files":{},"poured_bytes":{},"seconds":{:.3f},"rate":{:.0f},"peak_memory":{},)"
                     R"("retries":{},"limit":{},"error":{}}})",
                     json_quote(o.uri), json_quote(o.repo), json_quote(o.type), json_quote(o.revision),
                     json_quote(o.commit), json_quote(to_string(o.status)), o.files, o.bytes, o.poured_files,
                     o.poured_bytes, static_cast<double>(o.took.count()) / 1000.0, rate_of(o.poured_bytes, o.took),
                     o.peak_memory, o.retries, limit, error);
}

std::string result_line(const Outcome& outcome, bool json) {
  if (json) return result_json(outcome);
  return outcome.status == Status::failed ? "" : outcome.uri;
}

std::string summary_text(const Outcome& o) {
  const std::string all = fmt::format("{}, {}", plural(o.files, "file"), format_bytes(o.bytes));
  const std::string part = fmt::format("{}, {}", plural(o.poured_files, "file"), format_bytes(o.poured_bytes));
  const std::string took = format_duration(o.took);
  const std::string at = o.commit.empty() ? "" : ", commit " + shown_text(o.commit);
  const std::string peak = fmt::format("peak memory {}", format_bytes(o.peak_memory));
  switch (o.status) {
    case Status::present: return fmt::format("already there: {}{}; checked in {}, {}", all, at, took, peak);
    case Status::planned: return fmt::format("would pour {} of {}{}; nothing was written", part, all, at);
    case Status::failed:
      return fmt::format("failed after {}: {}", took, o.error ? shown_text(o.error->describe()) : "no reason given");
    case Status::poured: break;
  }
  std::string line =
      fmt::format("poured {} in {} ({}), {}, {}", part, took, format_rate(rate_of(o.poured_bytes, o.took)), peak,
                  o.retries == 1 ? "1 retry" : fmt::format("{} retries", o.retries));
  line += at;
  if (o.limit) line += fmt::format(", limited by {}", limit_name(*o.limit));
  return line;
}

std::string summary_fields(const Outcome& o) {
  std::string line = fmt::format(
      "summary status={} uri={} commit={} files={} bytes={} poured_files={} poured_bytes={} "
      "ms={} rate={:.0f} peak_memory={} retries={} limit={}",
      to_string(o.status), json_quote(o.uri), json_quote(o.commit), o.files, o.bytes, o.poured_files, o.poured_bytes,
      o.took.count(), rate_of(o.poured_bytes, o.took), o.peak_memory, o.retries,
      o.limit ? limit_name(*o.limit) : "none");
  if (!o.error) return line;
  return line + fmt::format(" kind={} exit={} error={}", hfpour::to_string(o.error->kind), o.exit,
                            json_quote(shown_text(o.error->describe())));
}

std::string shown_path(std::string_view path) {
  return printable(path, 8192);
}

std::string shown_text(std::string_view text) {
  return printable(text, 2000);
}

}  // namespace hfpour::cli
