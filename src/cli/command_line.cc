// SPDX-License-Identifier: MIT
#include "cli/command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/text.h"
#include "cli/pipe_options.h"

namespace hfpour::cli {

Error usage(std::string sentence) {
  return Error(Kind::usage, std::move(sentence));
}

Error needs_value(const Setting& setting) {
  return usage(fmt::format("--{} needs a value: --{} {}", setting.flag, setting.flag, setting.placeholder));
}

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t replaced = diagonal + (a[i] == b[k] ? 0 : 1);
      diagonal = row[k + 1];
      row[k + 1] = std::min({replaced, row[k] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// The flag a person who wrote `word` (without dashes) most likely meant; empty when nothing is
/// near.
std::string nearest_flag(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> elsewhere = {{
      {"allow-patterns", "include"},
      {"ignore-patterns", "exclude"},
      {"max-workers", "lanes"},
      {"workers", "lanes"},
      {"jobs", "lanes"},
      {"force", "refresh"},
      {"verbose", "log-level"},
      {"cacert", "ca-bundle"},
      {"rev", "revision"},
  }};
  for (const auto& [other, ours] : elsewhere) {
    if (word == other) return std::string(ours);
  }
  std::vector<std::string_view> names = {"help", "version"};
  for (const Setting* const setting : all_settings()) names.push_back(setting->flag);
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string_view name : names) {
    const bool begins = word.size() >= 3 && name.starts_with(word);
    const std::size_t distance = begins ? 1 : edit_distance(word, name);
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  return best;
}

/// CLI11 would take the next word for the value of `--flag=`, and reads `--switch=word` in a way of
/// its own.
Result<void> screen(std::span<const char* const> words) {
  for (const std::string_view word : words) {
    if (word == "--") break;
    const std::size_t equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string_view::npos) continue;
    for (const Setting* const each : all_settings()) {
      const Setting& setting = *each;
      if (word.substr(2, equals - 2) != setting.flag) continue;
      if (setting.is_switch()) return usage(fmt::format("--{} takes no value", setting.flag));
      if (equals + 1 == word.size() && !setting.empty_counts) return needs_value(setting);
      if (equals + 1 == word.size()) {
        return usage(fmt::format("--{0}= is cut short: write --{0} '' for an empty list", setting.flag));
      }
    }
  }
  return {};
}

}  // namespace

Error unknown_flag(std::string_view written) {
  const std::string_view flag = written.substr(0, written.find('='));
  const std::string word = to_lower(flag.substr(std::min(flag.find_first_not_of('-'), flag.size())));
  for (const std::string_view hint : {"token", "secret", "access-key", "password", "credential"}) {
    if (word.find(hint) == std::string::npos) continue;
    return usage(
        fmt::format("{} is no flag: secrets come from the environment only (HF_TOKEN, AWS_ACCESS_KEY_ID, "
                    "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN)",
                    printable(flag, 60)));
  }
  if (word == "bucket" || word == "prefix") {
    return usage(fmt::format("{} is no flag: write s3://bucket/prefix/ as the second argument", printable(flag, 60)));
  }
  const std::string near = word.size() < 2 ? "" : nearest_flag(word);
  if (near.empty()) return usage(fmt::format("{} is no flag: see hfpour --help", printable(flag, 60)));
  return usage(fmt::format("{} is no flag: did you mean --{}?", printable(flag, 60), near));
}

Result<CommandLine> split(std::span<const char* const> words) {
  if (const auto fit = screen(words); !fit) return fit.error();
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  CLI::Option* const help = app.add_flag("-h,--help");
  CLI::Option* const version = app.add_flag("-V,--version");
  std::map<std::string_view, CLI::Option*> parsed;
  for (const Setting* const each : all_settings()) {
    const Setting& setting = *each;
    const std::string names = (setting.flag == "quiet" ? "-q,--" : "--") + std::string(setting.flag);
    CLI::Option* const option = setting.is_switch() ? app.add_flag(names) : app.add_option(names);
    if (!setting.is_switch()) {
      option->type_size(1)->expected(1)->allow_extra_args(false);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    parsed[setting.flag] = option;
  }
  CommandLine line;
  try {  // the sentences of CLI11's exceptions are replaced by ours
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError&) {
    // With extras allowed and every value a text, the one thing left to fail is a value missing at
    // the end.
    const std::string_view last = words.empty() ? "" : words.back();
    for (const Setting* const setting : all_settings()) {
      if (last == "--" + std::string(setting->flag)) return needs_value(*setting);
    }
    return usage("the command line cannot be read: see hfpour --help");
  }
  for (const auto& [flag, option] : parsed) {
    if (option->count() > 0) line.flags[flag] = option->results();
  }
  if (version->count() > 0) line.action = Action::version;
  if (help->count() > 0) line.action = Action::help;
  for (std::string& word : app.remaining()) line.arguments.push_back(std::move(word));
  return line;
}

}  // namespace hfpour::cli
