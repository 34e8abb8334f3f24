// SPDX-License-Identifier: MIT
#include "cli/console.h"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>

#include "support/has.h"

using namespace hfpour;
using namespace hfpour::cli;
using hfpour::testing::has;
using std::chrono::milliseconds;

namespace {

/// A screen in memory, a log in memory and a clock turned by hand.
class Stage {
 public:
  explicit Stage(ConsoleSettings settings)
      : log_("test", std::make_shared<spdlog::sinks::ostream_sink_st>(lines_)),
        screen_(open_memstream(&text_, &size_)),
        console_(std::make_unique<Console>(log_, screen_, progress, settings, now_)) {
    log_.set_level(spdlog::level::info);
    log_.set_pattern("%l %v");
  }
  ~Stage() {
    console_.reset();
    std::fclose(screen_);
    std::free(text_);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Console& console() { return *console_; }
  spdlog::logger& log() { return log_; }
  std::string lines() const { return lines_.str(); }
  std::string screen() {
    std::fflush(screen_);
    return std::string(text_, size_);
  }
  /// Lets `time` pass in steps of 100 ms, each with `bytes` more in the store.
  void pass(milliseconds time, Bytes bytes) {
    for (; time.count() > 0; time -= milliseconds(100)) {
      now_ += milliseconds(100);
      progress.stored_bytes += bytes;
      console_->tick(now_);
    }
  }
  void plan(Bytes bytes, std::uint64_t files) {
    progress.total_bytes = bytes;
    progress.total_files = files;
    console_->planned(PlanFacts{files, bytes, 0, 0, "0123abcd", 16, 16, MiB});
  }

  Progress progress;

 private:
  std::ostringstream lines_;
  spdlog::logger log_;
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* screen_;
  SteadyTime now_{};
  std::unique_ptr<Console> console_;
};

ConsoleSettings terminal(std::size_t columns) {
  ConsoleSettings settings;
  settings.terminal = true;
  settings.columns = columns;
  return settings;
}

ConsoleSettings json_log() {
  ConsoleSettings settings;
  settings.terminal = true;
  settings.format = LogFormat::json;
  return settings;
}

std::size_t count(const std::string& text, const std::string& piece) {
  std::size_t times = 0;
  for (std::size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++times;
  return times;
}

Outcome poured() {
  Outcome o;
  o.status = Status::poured;
  o.uri = "s3://bucket/models/owner/name/";
  o.repo = "owner/name";
  o.type = "model";
  o.revision = "main";
  o.commit = "0123abcd";
  o.files = 3;
  o.bytes = 3 * GiB;
  o.poured_files = 2;
  o.poured_bytes = 2 * GiB;
  o.took = milliseconds(4000);
  o.peak_memory = 52 * MiB;
  o.retries = 1;
  o.limit = Limit::hub;
  return o;
}

}  // namespace

TEST_CASE("console: a terminal gets a bar at most five times a second, and nothing in the log") {
  Stage stage(terminal(120));
  stage.pass(milliseconds(1000), 0);
  CHECK(stage.screen().empty());  // nothing to show before the plan
  stage.plan(1000 * MiB, 4);
  const std::string before = stage.lines();
  stage.progress.samples[1] = 9;
  stage.pass(milliseconds(1000), MiB);
  CHECK(count(stage.screen(), "\r\x1b[K") == 5);
  CHECK(stage.lines() == before);
}

TEST_CASE("console: the bar tells bytes, rate, time left, files and what limits") {
  Stage stage(terminal(120));
  stage.plan(100 * MiB, 4);
  stage.progress.samples[0] = 50;  // before the window: must not count
  stage.pass(milliseconds(100), MiB);
  stage.progress.samples[2] = 7;
  stage.progress.done_files = 2;
  stage.pass(milliseconds(4900), MiB);
  const std::string screen = stage.screen();
  const std::string bar = screen.substr(screen.rfind('\r'));
  CHECK_MESSAGE(has(bar, " 49%"), bar);
  CHECK_MESSAGE(has(bar, "49.0 MiB of 100.0 MiB"), bar);
  CHECK_MESSAGE(has(bar, "10.0 MiB/s"), bar);
  CHECK_MESSAGE(has(bar, "ETA 5.0 s") + has(bar, "ETA 6.0 s") == 1, bar);
  CHECK_MESSAGE(has(bar, "2/4 files"), bar);
  CHECK_MESSAGE(has(bar, "limit: store"), bar);
}

TEST_CASE("console: the rate forgets what is older than its window") {
  Stage stage(terminal(120));
  stage.plan(100 * GiB, 4);
  stage.pass(milliseconds(10'000), 100 * MiB);
  stage.pass(milliseconds(16'000), MiB);
  const std::string screen = stage.screen();
  CHECK_MESSAGE(has(screen.substr(screen.rfind('\r')), " 10.0 MiB/s"), screen.substr(screen.rfind('\r')));
}

TEST_CASE("console: the bar never fills a narrow terminal's last column") {
  for (const std::size_t columns : {1U, 5U, 12U, 30U, 40U, 60U, 80U, 200U}) {
    Stage stage(terminal(columns));
    stage.plan(1000 * GiB, 100'000);
    stage.progress.samples[3] = 1;
    stage.pass(milliseconds(3000), GiB);
    const std::string screen = stage.screen();
    CHECK(screen.size() - screen.rfind("\x1b[K") - 3 < columns);
  }
}

TEST_CASE("console: the bar is wiped before a line and drawn again after it") {
  Stage stage(terminal(100));
  stage.plan(10 * MiB, 2);
  stage.pass(milliseconds(300), MiB);
  const std::size_t before = stage.screen().size();
  stage.console().file_done(FileFacts{"a.bin", 5 * MiB, milliseconds(100), {}, "e", 1, 0});
  CHECK(stage.screen().substr(before) == "\r\x1b[K");
  stage.console().remark("nothing on screen to wipe");
  CHECK(stage.screen().size() == before + 4);
  stage.pass(milliseconds(200), MiB);
  CHECK(stage.screen().size() > before + 4);
  stage.console().finish(poured());
  CHECK(stage.screen().ends_with("\r\x1b[K"));
  const std::size_t end = stage.screen().size();
  stage.pass(milliseconds(2000), 0);
  CHECK(stage.screen().size() == end);
}

TEST_CASE("console: without a terminal there is one plain line every ten seconds") {
  Stage stage(ConsoleSettings{});
  stage.plan(1000 * MiB, 4);
  stage.pass(milliseconds(9'900), MiB);
  CHECK_FALSE(has(stage.lines(), "ETA"));
  stage.pass(milliseconds(20'100), MiB);
  CHECK(count(stage.lines(), "ETA") == 3);
  CHECK(has(stage.lines(), "info 100.0 MiB of 1000.0 MiB (10%), 10.0 MiB/s, ETA 1m30s, 0 of 4 files"));
  CHECK(stage.screen().empty());
}

TEST_CASE("console: quiet lets only warnings and errors through") {
  ConsoleSettings settings = terminal(100);
  settings.quiet = true;
  Stage stage(settings);
  stage.plan(MiB, 1);
  stage.pass(milliseconds(20'000), 1);
  stage.console().file_done(FileFacts{});
  stage.console().finish(poured());
  CHECK(stage.lines().empty());
  CHECK(stage.screen().empty());
  stage.console().retrying(RetryFacts{"part 1 of a", Error(Kind::network, "reset"), 1, milliseconds(500)});
  stage.console().file_failed("a", Error(Kind::integrity, "sha256 differs"));
  CHECK(has(stage.lines(), "warning retry part 1 of a: attempt 1 failed, next in 0.5 s: reset"));
  CHECK(has(stage.lines(), "error failed a: sha256 differs"));
}

TEST_CASE("console: progress can be switched off") {
  ConsoleSettings settings = terminal(100);
  settings.progress = false;
  Stage stage(settings);
  stage.plan(MiB, 1);
  stage.pass(milliseconds(30'000), 1);
  CHECK(stage.screen().empty());
  CHECK_FALSE(has(stage.lines(), "ETA"));
}

TEST_CASE("console: the plan says what is already there") {
  Stage stage(ConsoleSettings{});
  stage.console().planned(PlanFacts{16, 10 * GiB, 3, GiB, "0123abcd", 16, 5, MiB});
  CHECK(stage.lines() ==
        "info plan: 16 files, 10.0 GiB, commit 0123abcd; already there: 3 files, 1.0 GiB; 16 lanes over 5 rings "
        "of 1.0 MiB\n");
}

TEST_CASE("console: hostile names and sentences cannot write control characters") {
  for (const ConsoleSettings& settings : {ConsoleSettings{}, json_log()}) {
    Stage stage(settings);
    const std::string evil = "a\x1b]0;owned\x07\r\n{}%s";
    FileFacts file;
    file.path = evil;
    file.etag = evil;
    Error error(Kind::network, evil);
    error.code = evil;
    error.request_id = evil;
    stage.console().file_done(file);
    stage.console().file_failed(evil, error);
    stage.console().retrying(RetryFacts{evil, error, 1, milliseconds(1)});
    stage.console().remark(evil);
    Outcome failed;
    failed.error = error;
    stage.console().finish(failed);
    CHECK(count(stage.lines(), "\n") == 5);
    for (const char c : stage.lines()) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
    CHECK(has(stage.lines(), "{}%s"));
  }
}

TEST_CASE("console: a long path is shown whole") {
  Stage stage(ConsoleSettings{});
  FileFacts file;
  for (int i = 0; i < 500; ++i) file.path += "é";
  stage.console().file_done(file);
  CHECK(has(stage.lines(), file.path));
}

TEST_CASE("console: JSON logs have stable keys, whole bytes and no bar") {
  Stage stage(json_log());
  stage.plan(100 * MiB, 2);
  stage.pass(milliseconds(10'000), MiB);
  stage.console().file_done(FileFacts{"a b.bin", 5 * MiB, milliseconds(1500), {}, "\"e\"", 2, 1});
  stage.console().retrying(RetryFacts{"part 2", Error(Kind::timeout, "silent"), 2, milliseconds(700)});
  stage.console().finish(poured());
  CHECK(stage.screen().empty());
  const std::string lines = stage.lines();
  for (const std::string want :
       {"planned files=2 bytes=104857600 present_files=0 present_bytes=0 commit=\"0123abcd\" "
        "lanes=16 rings=16 ring_bytes=1048576",
        "progress bytes=104857600 total_bytes=104857600 rate=10485760 eta_seconds=0 files=0 "
        "total_files=2 limit=none",
        "stored path=\"a b.bin\" bytes=5242880 ms=1500 sha256=0000", "etag=\"\\\"e\\\"\" parts=2 retries=1",
        "warning retry what=\"part 2\" attempt=2 delay_ms=700 kind=timeout error=\"silent\"",
        "summary status=poured uri=\"s3://bucket/models/owner/name/\" commit=\"0123abcd\" files=3",
        "poured_bytes=2147483648 ms=4000 rate=536870912 peak_memory=54525952 retries=1 "
        "limit=hub"}) {
    CHECK_MESSAGE(has(lines, want), want, "\n", lines);
  }
}

TEST_CASE("summary: each ending has its sentence") {
  Outcome o = poured();
  CHECK(summary_text(o) ==
        "poured 2 files, 2.0 GiB in 4.0 s (512.0 MiB/s), peak memory 52.0 MiB, 1 retry, commit "
        "0123abcd, limited by hub");
  o.status = Status::present;
  CHECK(summary_text(o) == "already there: 3 files, 3.0 GiB, commit 0123abcd; checked in 4.0 s, peak memory 52.0 MiB");
  o.status = Status::planned;
  CHECK(summary_text(o) == "would pour 2 files, 2.0 GiB of 3 files, 3.0 GiB, commit 0123abcd; nothing was written");
  o.status = Status::failed;
  o.error = Error(Kind::forbidden, "gated repository");
  CHECK(summary_text(o) == "failed after 4.0 s: gated repository");
}

TEST_CASE("result: JSON has every key, and text is the URI alone") {
  Outcome o = poured();
  CHECK(result_line(o, false) == "s3://bucket/models/owner/name/");
  CHECK(result_line(o, true) ==
        R"({"uri":"s3://bucket/models/owner/name/","repo":"owner/name","type":"model",)"
        R"("revision":"main",)"
        R"("commit":"0123abcd","status":"poured","files":3,"bytes":3221225472,"poured_files":2,)"
        R"("poured_bytes":2147483648,"seconds":4.000,"rate":536870912,"peak_memory":54525952,)"
        R"("retries":1,)"
        R"("limit":"hub","error":null})");
  o.status = Status::failed;
  o.limit.reset();
  o.error = Error(Kind::integrity, "a \"b\"\n\xff");
  o.exit = 7;
  CHECK(result_line(o, false).empty());
  CHECK(has(result_line(o, true),
            R"("limit":null,"error":{"kind":"integrity","message":"a \"b\"\n\ufffd","http_status":0,)"
            R"("code":"","request_id":"","exit":7}})"));
}

TEST_CASE("format: durations, rates and limits") {
  CHECK(format_duration(milliseconds(0)) == "0.0 s");
  CHECK(format_duration(milliseconds(-5)) == "0.0 s");
  CHECK(format_duration(milliseconds(9'949)) == "9.9 s");
  CHECK(format_duration(milliseconds(9'950)) == "10 s");
  CHECK(format_duration(milliseconds(59'499)) == "59 s");
  CHECK(format_duration(milliseconds(59'500)) == "1m00s");
  CHECK(format_duration(milliseconds(3'599'499)) == "59m59s");
  CHECK(format_duration(milliseconds(7'620'000)) == "2h07m");
  CHECK(format_rate(1536.0) == "1.5 KiB/s");
  CHECK(rate_of(100, milliseconds(0)) == 0);
  const LimitSamples none = {};
  CHECK_FALSE(main_limit(none));
  const LimitSamples some = {1, 2, 3, 9};
  CHECK(main_limit(some) == Limit::memory);
}

TEST_CASE("peak memory: read from the process status") {
  CHECK(parse_peak("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 9 kB\n") == 1234 * KiB);
  CHECK(parse_peak("VmHWM:\t 7 kB") == 7 * KiB);
  CHECK(parse_peak("VmRSS: 9 kB\n") == 0);
  CHECK(peak_resident() > 100 * KiB);
}
