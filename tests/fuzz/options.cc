// SPDX-License-Identifier: MIT
// The command line, a word a line; a line `$NAME=value` is a variable of the environment.
#include "cli/options.h"

#include "base/text.h"
#include "cli/options_table.h"
#include "harness.h"

namespace hfpour::fuzz {
namespace {

void take_number(const std::string& text) {
  const Result<Bytes> size = parse_bytes(text);
  if (!size) require_fit_for_a_log(size.error());
  if (size && *size < (Bytes{1} << 53U)) {
    const Result<Bytes> again = parse_bytes(cli::size_text(*size));
    require(again && *again == *size, "a size can be written and read again");
  }
  const std::optional<std::chrono::seconds> time = parse_duration(text);
  require(!time || (time->count() >= 0 && *time <= std::chrono::hours(24 * 3650)), "a time has its bounds");
}

void require_in_bounds(const cli::Options& options) {
  require(options.part_size >= cli::min_part_size && options.part_size <= cli::max_part_size, "a part has its bounds");
  require(options.memory == 0 || (options.memory >= cli::min_memory && options.memory <= cli::max_memory),
          "memory has its bounds");
  require(options.lanes <= cli::max_lanes, "lanes have their bounds");
  require(!options.include || !options.include->empty(), "a list of patterns is never empty");
  require(options.sha256.empty() || from_hex(options.sha256).has_value(), "a promised hash is one");
}

/// Names of files that would be read, and of folders that such a file may lie in: they stay unset here.
bool names_a_file(std::string_view name) {
  return name == "HOME" || name == "HF_HOME" || name == "HF_TOKEN_PATH" || name == "XDG_CACHE_HOME" ||
         name == "TOKEN_PATH";
}

}  // namespace

void take(std::string_view input) {
  std::vector<std::string> words;
  cli::Environment::Values variables;
  for (std::string& line : lines_of(input)) {
    std::string(line.c_str()).swap(line);  // no argument holds a zero
    const std::size_t equals = line.find('=');
    const bool variable = line.starts_with('$') && equals != std::string::npos;
    if (variable && !names_a_file(line.substr(1, equals - 1)))
      variables[line.substr(1, equals - 1)] = line.substr(equals + 1);
    if (!variable) words.push_back(std::move(line));
  }
  const std::string secret = std::string(hidden) + (words.empty() ? "" : words.back());
  for (const char* name : {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN"}) {
    if (variables.contains(name)) variables[name] = secret;
  }
  std::vector<const char*> arguments = {"hfpour"};
  for (const std::string& word : words) {
    take_number(word);
    arguments.push_back(word.c_str());
  }
  const Result<cli::Options> options = cli::read_options(arguments, cli::Environment(variables));
  if (!options) return require_kept_secret(options.error(), input);
  require_in_bounds(*options);
}

}  // namespace hfpour::fuzz
