// SPDX-License-Identifier: MIT
#include "cli/environment.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/text.h"

namespace hfpour::cli {
namespace {

/// More than any token; keeps a wrong path from being read whole.
constexpr std::size_t max_token_file = 64 * 1024;

bool is_name(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/// `~`, `$NAME` and `${NAME}` filled in; an unknown name stays as it is, as in Python's
/// `expandvars`.
std::string expand(const Environment& env, std::string_view path) {
  std::string out;
  if (path == "~" || path.starts_with("~/")) {
    out = env.get("HOME");
    path.remove_prefix(1);
  }
  while (!path.empty()) {
    const std::size_t dollar = path.find('$');
    out += path.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    path.remove_prefix(dollar);
    const bool braces = path.starts_with("${");
    const std::size_t begin = braces ? 2 : 1;
    std::size_t end = begin;
    while (end < path.size() && is_name(path[end])) ++end;
    const bool closed = !braces || (end < path.size() && path[end] == '}');
    const auto value = closed ? env.find(path.substr(begin, end - begin)) : std::nullopt;
    const std::size_t used = braces && closed ? end + 1 : end;
    out += value ? *value : path.substr(0, used);
    path.remove_prefix(used);
  }
  return out;
}

Result<Secret> checked(std::string_view text, std::string_view name) {
  const std::string_view value = trim(text);
  const bool fits = std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (fits) return Secret(std::string(value));
  return Error(Kind::usage, fmt::format("{} holds a blank, a control character or a letter beyond ASCII "
                                        "(its value is not shown): copy it again",
                                        name));
}

/// The whole file, or nothing if it cannot be read.
std::optional<std::string> read_small(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(max_token_file, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::string token_path(const Environment& env) {
  if (const auto path = env.get("HF_TOKEN_PATH"); !path.empty()) return expand(env, path);
  if (const auto home = env.get("HF_HOME"); !home.empty()) return expand(env, home) + "/token";
  if (const auto cache = env.get("XDG_CACHE_HOME"); !cache.empty()) {
    return expand(env, cache) + "/huggingface/token";
  }
  if (env.get("HOME").empty()) return "";
  return expand(env, "~/.cache/huggingface/token");
}

}  // namespace

Environment Environment::from(const char* const* entries) {
  Environment env;
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    const std::string_view entry(*entries);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    env.values_.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return env;
}

std::optional<std::string_view> Environment::find(std::string_view name) const {
  const auto at = values_.find(name);
  if (at == values_.end()) return std::nullopt;
  return at->second;
}

std::string_view Environment::get(std::string_view name) const {
  return find(name).value_or(std::string_view());
}

bool is_true(std::string_view text) {
  const std::string word = to_lower(trim(text));
  return word == "1" || word == "on" || word == "yes" || word == "true";
}

Result<Secret> read_secret(const Environment& env, std::string_view name) {
  return checked(env.get(name), name);
}

Result<HubToken> find_hub_token(const Environment& env, std::vector<std::string>& warnings) {
  static constexpr std::array<std::string_view, 2> names = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
  for (const std::string_view name : names) {
    auto token = read_secret(env, name);
    if (!token) return token.error();
    if (!token->empty()) return HubToken{*std::move(token), ""};
  }
  if (is_true(env.get("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return HubToken();
  const std::string path = token_path(env);
  if (path.empty()) return HubToken();
  const auto text = read_small(path);
  if (text) {
    Result<Secret> token = checked(*text, fmt::format("the token file {}", printable(path)));
    if (!token) return token.error();
    return HubToken{*std::move(token), path};
  }
  if (!env.get("HF_TOKEN_PATH").empty()) {
    warnings.push_back(fmt::format("HF_TOKEN_PATH: {} cannot be read, going on without a Hub token", printable(path)));
  }
  return HubToken();
}

}  // namespace hfpour::cli
