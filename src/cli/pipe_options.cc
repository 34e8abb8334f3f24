// SPDX-License-Identifier: MIT
#include "cli/pipe_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::cli {
namespace {

struct Command {
  Action action;
  std::string_view name;
  std::string_view flags;  ///< that it takes, blank-separated, in the order of its help
  std::string_view usage;
  std::string_view about;  ///< stands before its flags in the help
};

constexpr std::array<Command, 4> commands = {{
    {Action::cat, "cat",
     "range revision hub-endpoint endpoint-url region addressing profile ca-bundle hub-ca-bundle store-ca-bundle "
     "memory lanes "
     "retry-for quiet no-progress log-format log-level",
     "hfpour cat hf://owner/name[@revision]/path | s3://bucket/key",
     R"(hfpour cat streams one file to stdout, fetched in ranges side by side and hashed as it goes.

  set -o pipefail                  so that a failure before the | is not lost
  hfpour cat hf://openai-community/gpt2/model.safetensors | sha256sum
  hfpour cat hf://datasets/owner/name@v1.0/data.tar.zst | zstd -d | tar -x
  hfpour cat s3://bucket/models/owner/name/config.json

A file of the Hub must match its hash, an object the hash that hfpour noted on it, if it did; if not,
the exit status is 7, both digests are on stderr, and the last bytes are not written. With --range only
the length is checked. An object that is replaced while it is read ends the run: never a mixture.

)"},
    {Action::tar, "tar",
     "include exclude preset revision hub-endpoint ca-bundle hub-ca-bundle memory lanes retry-for quiet no-progress "
     "log-format log-level",
     "hfpour tar hf://owner/name[@revision]",
     R"(hfpour tar writes the files of a repository to stdout as a POSIX tar archive, in the Hub's order.

  set -o pipefail                  so that a failure before the | is not lost
  hfpour tar hf://openai-community/gpt2 | tar -x -C gpt2
  hfpour tar hf://owner/name@v1.0 --include '*.json' | ssh host tar -x

One commit and selection give the same bytes each time: mode 0644, owner 0, time 1 s after the epoch.
Each file must match its hash; if not, the exit status is 7 and the archive has no end, which tar reports.

)"},
    {Action::put, "put",
     "expected-size sha256 endpoint-url region addressing profile ca-bundle store-ca-bundle memory lanes part-size "
     "upload-check retry-for json quiet "
     "no-progress log-format log-level",
     "hfpour put [-|FILE] s3://bucket/key",
     R"(hfpour put stores stdin, or a file, as one object: of any length, in fixed memory, with nothing on disk.

  set -o pipefail
  curl -f https://host/data.bin | hfpour put - s3://bucket/data.bin --sha256 9f86d081884c7d65...
  hfpour cat hf://owner/name/a.bin | zstd | hfpour put - s3://bucket/a.bin.zst

The object appears after a clean end of input. But all that put sees of a producer that dies is an end
of input: give --sha256 or --expected-size where a part of the data must not pass for the whole.
Parts begin at --part-size and grow with the stream; with --expected-size all have one length. Two of
them must fit into --memory, so that is what bounds the stream: 256Mi takes about 900 GiB.

)"},
    {Action::gc, "gc",
     "older-than dry-run json endpoint-url region addressing profile ca-bundle store-ca-bundle retry-for quiet "
     "log-format log-level",
     "hfpour gc s3://bucket/[prefix/]",
     R"(hfpour gc drops the open multipart uploads below a prefix that nothing has happened to for --older-than.

  hfpour gc s3://bucket/models/ --dry-run
  hfpour gc s3://bucket/models/owner/name/ --older-than 2h

A run that was killed leaves such uploads behind: no list of objects shows them, and they are billed. An
upload is as old as its last part, so one that is still growing stays. Those of other tools are dropped
as well, and those that a later run would have gone on with. On stdout: one line for each upload.

)"},
}};

const Command* find_command(Action action) {
  const auto at =
      std::find_if(commands.begin(), commands.end(), [action](const Command& c) { return c.action == action; });
  return at == commands.end() ? nullptr : &*at;
}

/// `a-b`, `a-`, `-n`, as curl and HTTP have it: both ends belong to the range.
Result<void> set_range(Options& options, const Given& given) {
  constexpr std::string_view rule = "write first-last, first- or -length, in bytes from 0";
  const std::size_t dash = given.text.find('-');
  if (dash == std::string_view::npos) return bad_value(given, rule);
  const std::string_view low = given.text.substr(0, dash);
  const std::string_view high = given.text.substr(dash + 1);
  WantedRange range;
  range.first = parse_decimal(low);
  range.last = parse_decimal(high);
  if ((low.empty() && high.empty()) || (!low.empty() && !range.first) || (!high.empty() && !range.last)) {
    return bad_value(given, rule);
  }
  if (range.first && range.last && *range.last < *range.first)
    return bad_value(given, "the last byte comes before the first");
  if (!range.first && *range.last == 0) return bad_value(given, "a range of no bytes");
  options.range = range;
  return {};
}

Result<void> set_expected_size(Options& options, const Given& given) {
  const auto bytes = parse_bytes(given.text);
  if (!bytes) return bytes.error().at(given.name);
  options.expected_size = *bytes;
  return {};
}

Result<void> set_sha256(Options& options, const Given& given) {
  const auto bytes = from_hex(given.text);
  if (!bytes || bytes->size() != 32) return bad_value(given, "write the 64 hex digits of a SHA-256");
  options.sha256 = to_lower(given.text);
  return {};
}

Result<void> set_older_than(Options& options, const Given& given) {
  const std::optional<std::chrono::seconds> age = parse_duration(given.text);
  if (!age) return bad_value(given, "write a whole number and s, m, h or d, such as 24h");
  options.older_than = *age;
  return {};
}

constexpr std::array<Setting, 4> pipe_table = {{
    {"older-than", "AGE", "age from which on an upload is dropped: 90m, 24h, 7d", "", set_older_than,
     [](const Options&) { return std::string("24h"); }},
    {"range", "A-B", "bytes A to B of the file, both included; A- or -N as in HTTP", "", set_range, nothing},
    {"expected-size", "SIZE", "exact length of the input: anything else fails", "", set_expected_size, nothing},
    {"sha256", "HEX", "SHA-256 of the input: anything else fails", "", set_sha256, nothing},
}};

Error usage_of(const Command& command, std::string_view trouble) {
  return Error(Kind::usage, fmt::format("{}: {}", trouble, command.usage));
}

Result<void> place_cat(const Command& command, std::span<const std::string> words, Options& options) {
  if (words.empty()) return usage_of(command, "cat wants one file");
  if (words.size() > 1) return usage_of(command, fmt::format("{} arguments where cat wants one", words.size()));
  options.source = words[0];
  return {};
}

Result<void> place_tar(const Command& command, std::span<const std::string> words, Options& options) {
  if (words.empty()) return usage_of(command, "tar wants one repository");
  if (words.size() > 1) return usage_of(command, fmt::format("{} arguments where tar wants one", words.size()));
  if (words[0].starts_with("s3://")) return usage_of(command, "tar reads the Hub, not a bucket");
  options.source = words[0];
  return {};
}

Result<void> place_put(const Command& command, std::span<const std::string> words, Options& options) {
  if (words.empty()) return usage_of(command, "put wants the object's name");
  if (words.size() > 2) return usage_of(command, fmt::format("{} arguments where put wants two", words.size()));
  options.source = words.size() == 2 ? words[0] : "-";
  options.destination = words.back();
  if (options.source.starts_with("hf://") || options.source.starts_with("s3://")) {
    return usage_of(command,
                    fmt::format("put reads stdin or a file; pipe into it: hfpour cat {} | hfpour put - s3://bucket/key",
                                printable(redact(options.source), 100)));
  }
  if (options.source.starts_with("http://") || options.source.starts_with("https://")) {
    return usage_of(command, "put reads stdin or a file; pipe into it: curl -f URL | hfpour put - s3://bucket/key");
  }
  if (!options.destination.starts_with("s3://")) {
    return usage_of(command, fmt::format("'{}' is no object", printable(redact(options.destination), 100)));
  }
  return {};
}

Result<void> place_gc(const Command& command, std::span<const std::string> words, Options& options) {
  if (words.empty()) return usage_of(command, "gc wants a bucket");
  if (words.size() > 1) return usage_of(command, fmt::format("{} arguments where gc wants one", words.size()));
  if (!words[0].starts_with("s3://"))
    return usage_of(command, fmt::format("'{}' is no bucket", printable(redact(words[0]), 100)));
  options.destination = words[0];
  return {};
}

}  // namespace

std::optional<Action> pipe_command(std::string_view word) {
  for (const Command& command : commands) {
    if (command.name == word) return command.action;
  }
  return std::nullopt;
}

std::span<const Setting> pipe_settings() {
  return pipe_table;
}

std::vector<const Setting*> all_settings() {
  std::vector<const Setting*> all;
  for (const Setting& setting : settings()) all.push_back(&setting);
  for (const Setting& setting : pipe_table) all.push_back(&setting);
  return all;
}

std::vector<const Setting*> settings_of(Action action) {
  std::vector<const Setting*> own;
  const std::vector<const Setting*> all = all_settings();
  for (const std::string& flag : split_list(find_command(action)->flags, ' ')) {
    own.push_back(*std::find_if(all.begin(), all.end(), [&flag](const Setting* s) { return s->flag == flag; }));
  }
  return own;
}

Result<void> place_pipe_arguments(std::span<const std::string> words, Options& options) {
  const Command& command = *find_command(options.action);
  for (const std::string& word : words) {
    if (word.empty()) return Error(Kind::usage, "an argument is empty: a variable unset in the shell?");
    if (const auto fit = check_text({"argument", word}); !fit) return fit;
  }
  switch (options.action) {
    case Action::cat: return place_cat(command, words, options);
    case Action::tar: return place_tar(command, words, options);
    case Action::gc: return place_gc(command, words, options);
    default: return place_put(command, words, options);
  }
}

bool needs_store(const Options& options) {
  return options.destination.starts_with("s3://") || options.source.starts_with("s3://");
}

std::string pipe_help(Action action) {
  const Command& command = *find_command(action);
  const Options standard;
  std::string text(command.about);
  text += fmt::format("Usage: {}\n\n", command.usage);
  for (const Setting* const setting : settings_of(action)) {
    const std::string flag = fmt::format("{}{}{}{}", setting->flag == "quiet" ? "-q, --" : "--", setting->flag,
                                         setting->is_switch() ? "" : " ", setting->placeholder);
    const std::string value = setting->shown(standard);
    text += fmt::format("  {:<22} {}{}\n", flag, setting->summary, value.empty() ? "" : " [" + value + "]");
  }
  const bool streams = action == Action::cat || action == Action::tar;
  return text + "\nExit: as hfpour --help says" + (streams ? "; 141 when the reader of stdout leaves early.\n" : ".\n");
}

}  // namespace hfpour::cli
