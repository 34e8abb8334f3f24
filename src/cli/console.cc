// SPDX-License-Identifier: MIT
#include "cli/console.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "base/text.h"

namespace hfpour::cli {
namespace {

constexpr Millis draw_every{200};
constexpr Millis line_every{10'000};
/// Parts are acknowledged in lumps of megabytes; a shorter window would make the rate jump.
constexpr Millis window_span{15'000};
constexpr Millis sample_every{200};
/// Before this much has been seen, a rate is a guess.
constexpr Millis least_span{1'000};
constexpr std::chrono::seconds longest_eta{std::chrono::hours{1000}};
constexpr std::string_view wipe_line = "\r\x1b[K";

using Level = spdlog::level::level_enum;

Millis between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<Millis>(to - from);
}

}  // namespace

Bytes parse_peak(std::string_view status) {
  constexpr std::string_view label = "VmHWM:";
  const std::size_t at = status.find(label);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = trim(status.substr(at + label.size(), status.find('\n', at) - at - label.size()));
  return parse_decimal(rest.substr(0, rest.find(' '))).value_or(0) * KiB;
}

Bytes peak_resident() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/status", "re"), std::fclose);
  if (!file) return 0;
  std::array<char, 8192> text{};
  const std::size_t count = std::fread(text.data(), 1, text.size(), file.get());
  return parse_peak(std::string_view(text.data(), count));
}

Console::Console(spdlog::logger& log, std::FILE* screen, const Progress& progress, ConsoleSettings settings,
                 SteadyTime started)
    : log_(log),
      screen_(screen),
      progress_(progress),
      settings_(settings),
      next_draw_(started),
      next_line_(started + line_every) {
}

Console::~Console() {
  wipe();
}

void Console::planned(const PlanFacts& plan) {
  planned_ = true;
  if (settings_.format == LogFormat::json) {
    say(Level::info, fmt::format("planned files={} bytes={} present_files={} present_bytes={} "
                                 "commit={} lanes={} rings={} ring_bytes={}",
                                 plan.files, plan.bytes, plan.present_files, plan.present_bytes,
                                 json_quote(plan.commit), plan.lanes, plan.rings, plan.ring_bytes));
    return;
  }
  std::string line = fmt::format("plan: {}, {}, commit {}", plural(plan.files, "file"), format_bytes(plan.bytes),
                                 shown_text(plan.commit));
  if (plan.present_files != 0) {
    line +=
        fmt::format("; already there: {}, {}", plural(plan.present_files, "file"), format_bytes(plan.present_bytes));
  }
  if (plan.lanes != 0) line += "; " + plural(plan.lanes, "lane");
  if (plan.rings < plan.lanes) line += " over " + plural(plan.rings, "ring");
  if (plan.lanes != 0) line += " of " + format_bytes(plan.ring_bytes);
  say(Level::info, line);
}

void Console::file_done(const FileFacts& file) {
  if (report_ != nullptr) report_->add(file);
  const std::string path = shown_path(file.path);
  const std::string hash = to_hex(file.hash);
  const std::string_view verb = file.adopted ? "kept" : "stored";
  if (settings_.format == LogFormat::json) {
    say(Level::info, fmt::format("{} path={} bytes={} ms={} {}={} etag={} parts={} retries={}", verb, json_quote(path),
                                 file.size, file.took.count(), to_string(file.hash.kind), hash,
                                 json_quote(shown_text(file.etag)), file.parts, file.retries));
    return;
  }
  std::string line = fmt::format("{} {} ({}, {}", verb, path, format_bytes(file.size), format_duration(file.took));
  if (file.size >= MiB && file.took.count() > 0) line += ", " + format_rate(rate_of(file.size, file.took));
  line += fmt::format(", {} {}", to_string(file.hash.kind), hash.substr(0, 12));
  if (file.retries != 0) line += fmt::format(", retries {}", file.retries);
  say(Level::info, line + ")");
}

void Console::file_failed(std::string_view path, const Error& error) {
  if (report_ != nullptr) report_->add(path, error);
  if (failed_file_.empty()) failed_file_ = path;
  const std::string reason = shown_text(error.describe());
  if (settings_.format == LogFormat::json) {
    say(Level::err, fmt::format("failed path={} kind={} error={}", json_quote(shown_path(path)), to_string(error.kind),
                                json_quote(reason)));
    return;
  }
  say(Level::err, fmt::format("failed {}: {}", shown_path(path), reason));
}

void Console::retrying(const RetryFacts& retry) {
  const std::string reason = shown_text(retry.error.describe());
  if (settings_.format == LogFormat::json) {
    say(Level::warn,
        fmt::format("retry what={} attempt={} delay_ms={} kind={} error={}", json_quote(shown_path(retry.what)),
                    retry.attempt, retry.delay.count(), to_string(retry.error.kind), json_quote(reason)));
    return;
  }
  say(Level::warn, fmt::format("retry {}: attempt {} failed, next in {}: {}", shown_path(retry.what), retry.attempt,
                               format_duration(retry.delay), reason));
}

void Console::remark(std::string_view sentence) {
  const std::string text = shown_text(sentence);
  say(Level::warn, settings_.format == LogFormat::json ? "remark text=" + json_quote(text) : "note: " + text);
}

bool Console::tracing() const {
  return log_.should_log(spdlog::level::debug);
}

void Console::trace(std::string_view line) {
  const std::string text = shown_text(line);
  say(Level::debug, settings_.format == LogFormat::json ? "exchange text=" + json_quote(text) : text);
}

void Console::tick(SteadyTime now) {
  if (!planned_ || finished_) return;
  remember(now);
  if (settings_.quiet || !settings_.progress) return;
  if (draws_bar()) {
    if (now < next_draw_) return;
    next_draw_ = now + draw_every;
    draw(snapshot());
    return;
  }
  if (now < next_line_) return;
  next_line_ = now + line_every;
  const Snapshot moment = snapshot();
  say(Level::info, settings_.format == LogFormat::json ? progress_fields(moment) : progress_text(moment));
}

void Console::wipe() {
  if (!drawn_) return;
  drawn_ = false;
  std::fwrite(wipe_line.data(), 1, wipe_line.size(), screen_);
  std::fflush(screen_);
}

void Console::finish(const Outcome& outcome) {
  finished_ = true;
  wipe();
  const Level level = outcome.status == Status::failed ? Level::err : Level::info;
  say(level, settings_.format == LogFormat::json ? summary_fields(outcome) : summary_text(outcome));
}

bool Console::draws_bar() const {
  return settings_.terminal && settings_.format == LogFormat::text;
}

std::size_t Console::columns() const {
  if (settings_.columns != 0) return settings_.columns;
  constexpr std::size_t usual = 80;
  winsize size{};
  const int fd = fileno(screen_);
  if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual;
  return size.ws_col;
}

void Console::remember(SteadyTime now) {
  if (!window_.empty() && now - window_.back().time < sample_every) return;
  window_.push_back(Sample{now, progress_.stored_bytes, progress_.samples});
  while (window_.size() > 2 && now - window_[1].time >= window_span) window_.pop_front();
}

Snapshot Console::snapshot() const {
  Snapshot moment;
  moment.bytes = progress_.stored_bytes;
  moment.total_bytes = progress_.total_bytes;
  moment.files = progress_.done_files;
  moment.total_files = progress_.total_files;
  if (window_.empty()) return moment;
  const Sample& oldest = window_.front();
  const Sample& newest = window_.back();
  LimitSamples lately{};
  for (std::size_t i = 0; i < limit_count; ++i) lately[i] = newest.limits[i] - oldest.limits[i];
  moment.limit = main_limit(lately);
  const Millis span = between(oldest.time, newest.time);
  // A part taken back after a fault may make the count fall.
  if (span < least_span || newest.bytes < oldest.bytes) return moment;
  moment.rate = rate_of(newest.bytes - oldest.bytes, span);
  if (moment.rate <= 0 || moment.bytes > moment.total_bytes) return moment;
  const double seconds = std::ceil(static_cast<double>(moment.total_bytes - moment.bytes) / moment.rate);
  if (seconds > static_cast<double>(longest_eta.count())) return moment;
  moment.left = std::chrono::seconds(static_cast<std::chrono::seconds::rep>(seconds));
  return moment;
}

void Console::draw(const Snapshot& now) {
  // The last column stays free: some terminals wrap as soon as it is written.
  const std::string line = std::string(wipe_line) + bar_line(now, columns() - 1);
  std::fwrite(line.data(), 1, line.size(), screen_);
  std::fflush(screen_);
  drawn_ = true;
}

void Console::say(Level level, const std::string& line) {
  if (settings_.quiet && level < Level::warn) return;
  if (!log_.should_log(level)) return;
  wipe();
  log_.log(level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace hfpour::cli
