// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/options_table.h"
#include "cli/pipe_options.h"

namespace hfpour::cli {
namespace {

/// Applies one setting from its flag, else from the first of its environment names that says
/// something.
Result<void> apply(const Setting& setting, const CommandLine& line, const Environment& env, Options& options) {
  if (const auto flag = line.flags.find(setting.flag); flag != line.flags.end()) {
    const std::string name = "--" + std::string(setting.flag);
    for (const std::string& text : flag->second) {
      if (!setting.is_switch() && text.starts_with("--")) return needs_value(setting);
      if (text.empty() && !setting.empty_counts) return needs_value(setting);
      const Given given{name, text};
      if (const auto fit = check_text(given); !fit) return fit;
      if (const auto done = setting.apply(options, given); !done) return done;
    }
    return {};
  }
  std::vector<std::string> names = split_list(setting.variables, ' ');
  names.insert(names.begin(), twin(setting.flag));
  for (const std::string& name : names) {
    const auto text = env.find(name);
    if (!text || (text->empty() && !setting.empty_counts)) continue;
    if (name == "IGNORE_PATTERNS" && options.include) {
      if (!text->empty()) options.warnings.push_back("IGNORE_PATTERNS is not used: the patterns of files to take win");
      continue;
    }
    const Given given{name, *text};
    if (const auto fit = check_text(given); !fit) return fit;
    return setting.apply(options, given);
  }
  return {};
}

Result<void> refuse_offline(const Environment& env) {
  for (const std::string_view name : {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}) {
    if (!is_true(env.get(name))) continue;
    return usage(fmt::format("{} is set, and pouring needs the Hub: unset it", name));
  }
  return {};
}

/// Variables that other tools understand and this one must answer for.
Result<void> read_foreign(const Environment& env, Options& options) {
  if (const auto online = refuse_offline(env); !online) return online;
  if (!env.get("DOWNLOAD_DIR").empty()) {
    options.warnings.push_back("DOWNLOAD_DIR is ignored: nothing is written to disk");
  }
  if (!env.get("HF_HUB_ENABLE_HF_TRANSFER").empty()) {
    options.warnings.push_back("HF_HUB_ENABLE_HF_TRANSFER is ignored: hfpour moves the bytes itself");
  }
  return {};
}

/// The two arguments, if there are any.
Result<void> place_arguments(const CommandLine& line, Options& options) {
  const auto& words = line.arguments;
  for (const std::string& word : words) {
    if (const auto fit = check_text({"argument", word}); !fit) return fit;
  }
  if (words.empty()) return {};
  const bool to_store = words.size() == 2 && words[1].starts_with("s3://");
  if (!words.front().empty() && words.front().find_first_of(":/") == std::string::npos && !to_store) {
    return usage(
        fmt::format("'{}' is no command: write hfpour hf://owner/name s3://bucket/prefix/, or cat, tar, put, gc",
                    printable(words.front(), 100)));
  }
  if (words.size() > 2) {
    return usage(fmt::format("{} arguments where hf://owner/name and s3://bucket/prefix/ are wanted", words.size()));
  }
  if (words.front().empty() || words.back().empty())
    return usage("an argument is empty: a variable unset in the shell?");
  if (words.size() == 1) {
    const bool store = words.front().starts_with("s3://");
    return usage(fmt::format("'{}' alone is half a command: {} is missing", printable(redact(words.front()), 100),
                             store ? "the source, hf://owner/name," : "the destination, s3://bucket/prefix/,"));
  }
  if (words[0].starts_with("s3://") && !words[1].starts_with("s3://")) {
    return usage("the source comes first: hfpour hf://owner/name s3://bucket/prefix/");
  }
  if (!words[1].starts_with("s3://")) {
    return usage(fmt::format("destination '{}': write s3://bucket/prefix/", printable(redact(words[1]), 100)));
  }
  options.source = words[0];
  options.destination = words[1];
  if (words[0].find('@') == std::string::npos) return {};
  if (line.flags.count("revision") != 0)
    return usage("the revision is given twice: after @ in the source and by --revision");
  options.revision.clear();
  return {};
}

/// Source and destination from the environment, for when there are no arguments.
Result<void> place_environment(const Environment& env, Options& options) {
  for (const std::string_view name : {"MODEL_NAME", "S3_BUCKET", "S3_PREFIX"}) {
    if (const auto fit = check_text({name, env.get(name)}); !fit) return fit;
  }
  options.source = env.get("MODEL_NAME");
  options.bucket = env.get("S3_BUCKET");
  if (const auto prefix = env.find("S3_PREFIX")) options.prefix = *prefix;
  return {};
}

/// KServe starts a storage container with the source and the folder it would like it in; the bucket is in the
/// environment.
bool is_kserve(const CommandLine& line, const Environment& env) {
  const auto& words = line.arguments;
  return words.size() == 2 && words[0].starts_with("hf://") && (words[1] + '/').starts_with("/mnt/models/") &&
         !env.get("S3_BUCKET").empty();
}

Result<void> place_kserve(const CommandLine& line, const Environment& env, Options& options) {
  for (const std::string& word : line.arguments) {
    if (const auto fit = check_text({"argument", word}); !fit) return fit;
  }
  if (const auto placed = place_environment(env, options); !placed) return placed;
  options.source = line.arguments[0];
  options.warnings.push_back("nothing is stored in '" + printable(line.arguments[1], 100) +
                             "': the files go to the bucket");
  return {};
}

Result<void> read_token(const Environment& env, Options& options) {
  auto token = find_hub_token(env, options.warnings);
  if (!token) return token.error();
  options.hf_token = std::move(token->value);
  options.hf_token_file = std::move(token->file);
  return {};
}

Result<void> read_keys(const Environment& env, Options& options) {
  const auto id = read_secret(env, "AWS_ACCESS_KEY_ID");
  if (!id) return id.error();
  auto secret = read_secret(env, "AWS_SECRET_ACCESS_KEY");
  if (!secret) return secret.error();
  auto session = read_secret(env, "AWS_SESSION_TOKEN");
  if (!session) return session.error();
  if (session->empty()) session = read_secret(env, "AWS_SECURITY_TOKEN");  // its name of old
  if (!session) return session.error();
  if (id->empty() != secret->empty()) {
    return usage(fmt::format("not set: {}", id->empty() ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY"));
  }
  options.credentials = Credentials{id->reveal(), *std::move(secret), *std::move(session)};
  for (const auto& [name, value] : env.values()) {
    if (name.starts_with("AWS_") || name == "HOME") options.aws.emplace(name, value);
  }
  return {};
}

/// Whether something says that the keys are elsewhere.
bool keys_elsewhere(const Options& options) {
  if (!options.profile.empty()) return true;
  for (const char* const name : {"AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_SHARED_CREDENTIALS_FILE"}) {
    if (const auto at = options.aws.find(name); at != options.aws.end() && !at->second.empty()) return true;
  }
  return false;
}

void note_missing_store(const Options& options, std::vector<std::string_view>& missing) {
  if (options.endpoint_url.empty()) missing.push_back("S3_ENDPOINT_URL (or --endpoint-url)");
  if (!options.credentials.access_key_id.empty() || keys_elsewhere(options)) return;
  missing.push_back("AWS_ACCESS_KEY_ID");
  missing.push_back("AWS_SECRET_ACCESS_KEY");
}

/// `A, B and C`.
std::string joined(const std::vector<std::string_view>& names) {
  std::string list;
  for (const std::string_view name : names) {
    list += list.empty() ? "" : name == names.back() ? " and " : ", ";
    list += name;
  }
  return list;
}

/// One sentence naming everything that is missing, so that nobody has to run this five times.
Result<void> check_complete(const Options& options) {
  std::vector<std::string_view> missing;
  if (options.source.empty()) missing.push_back("MODEL_NAME");
  if (options.destination.empty() && options.bucket.empty()) missing.push_back("S3_BUCKET");
  // The store's address and keys alone may stand in files, or come from who runs the machine.
  if (missing.empty()) return {};
  note_missing_store(options, missing);
  return usage(
      fmt::format("not set: {}; source and destination may also be arguments: hf://owner/name s3://bucket/prefix/",
                  joined(missing)));
}

/// `cat`, `tar` and `put`: arguments behind the word, and flags of their own.
Result<Options> read_pipe(const CommandLine& line, const Environment& env, Options options) {
  const std::vector<const Setting*> own = settings_of(options.action);
  for (const auto& [flag, values] : line.flags) {
    const bool fits = std::any_of(own.begin(), own.end(), [&f = flag](const Setting* s) { return s->flag == f; });
    if (!fits) return usage(fmt::format("--{} means nothing to hfpour {}", flag, line.arguments.front()));
  }
  for (const Setting* const setting : own) {
    if (const auto done = apply(*setting, line, env, options); !done) return done.error();
  }
  const std::span<const std::string> words = std::span(line.arguments).subspan(1);
  if (const auto placed = place_pipe_arguments(words, options); !placed) return placed.error();
  if (!needs_store(options)) {
    if (const auto done = refuse_offline(env); !done) return done.error();
    if (const auto done = read_token(env, options); !done) return done.error();
    return options;
  }
  if (const auto done = read_keys(env, options); !done) return done.error();
  return options;
}

}  // namespace

Result<Options> read_options(std::span<const char* const> argv, const Environment& env) {
  const auto words = argv.empty() ? argv : argv.subspan(1);
  const auto line = split(words);
  if (!line) return line.error();
  Options options;
  options.action = line->action;
  const auto command = line->arguments.empty() ? std::nullopt : pipe_command(line->arguments.front());
  if (options.action == Action::help) options.help_for = command;
  if (options.action != Action::run) return options;
  for (const std::string& word : line->arguments) {
    if (word.size() > 1 && word.front() == '-') return unknown_flag(word);
  }
  if (command) {
    options.action = *command;
    return read_pipe(*line, env, std::move(options));
  }
  for (const Setting& setting : pipe_settings()) {
    if (line->flags.contains(setting.flag))
      return usage(fmt::format("--{} belongs to hfpour cat, put or gc", setting.flag));
  }
  for (const Setting& setting : settings()) {
    if (const auto done = apply(setting, *line, env, options); !done) return done.error();
  }
  if (const auto done = read_foreign(env, options); !done) return done.error();
  const auto placed = line->arguments.empty() ? place_environment(env, options)
                      : is_kserve(*line, env) ? place_kserve(*line, env, options)
                                              : place_arguments(*line, options);
  if (!placed) return placed.error();
  if (const auto done = read_keys(env, options); !done) return done.error();
  if (const auto done = read_token(env, options); !done) return done.error();
  if (const auto done = check_complete(options); !done) return done.error();
  return options;
}

}  // namespace hfpour::cli
