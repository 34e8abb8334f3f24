// SPDX-License-Identifier: MIT
#include "keys/profile.h"

#include <fmt/core.h>

#include "base/text.h"

namespace hfpour::keys {
namespace {

constexpr std::size_t longest_file = 1024 * 1024;

/// What a `[section]` line names; for the config file without `profile`.
std::string section_name(std::string_view line, bool config) {
  const std::size_t end = line.find(']');
  std::string_view name = trim(line.substr(1, end == std::string_view::npos ? end : end - 1));
  if (config && name != "default") {
    if (!name.starts_with("profile ") && !name.starts_with("profile\t")) return "";
    name = trim(name.substr(8));
  }
  if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front()) {
    name = name.substr(1, name.size() - 2);
  }
  return std::string(name);
}

}  // namespace

std::string setting(const Profile& profile, std::string_view name) {
  const auto at = profile.find(name);
  return at == profile.end() ? "" : at->second;
}

std::optional<Profile> find_profile(std::string_view text, std::string_view name, bool config) {
  std::optional<Profile> found;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#' || line.front() == ';' || line.front() == ' ' || line.front() == '\t')
      continue;
    if (line.front() == '[') {
      inside = section_name(line, config) == name;
      if (inside && !found) found.emplace();
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    (*found)[to_lower(trim(line.substr(0, equals)))] = std::string(trim(line.substr(equals + 1)));
  }
  return found;
}

Result<std::optional<Profile>> read_profile(const Places& places) {
  const std::string name = places.profile.empty() ? "default" : places.profile;
  std::optional<Profile> found;
  if (const auto text = read_small_file(places.credentials_file, longest_file))
    found = find_profile(*text, name, false);
  if (const auto text = read_small_file(places.config_file, longest_file)) {
    if (const auto more = find_profile(*text, name, true)) {
      if (!found) found.emplace();
      found->insert(more->begin(), more->end());
    }
  }
  if (found || !places.profile_asked) return found;
  return Error(Kind::usage, fmt::format("there is no profile '{}' in '{}' or '{}'", printable(name, 100),
                                        printable(places.credentials_file, 200), printable(places.config_file, 200)));
}

Result<Grant> keys_of(const Profile& profile, const std::string& name) {
  Grant grant;
  grant.credentials =
      s3::Credentials{setting(profile, "aws_access_key_id"), Secret(setting(profile, "aws_secret_access_key")),
                      Secret(setting(profile, "aws_session_token"))};
  const s3::Credentials& keys = grant.credentials;
  for (const auto& [field, value] :
       {std::pair<std::string_view, const std::string&>{"aws_access_key_id", keys.access_key_id},
        {"aws_secret_access_key", keys.secret.reveal()}}) {
    if (value.empty())
      return Error(Kind::usage, fmt::format("the profile '{}' has no {}", printable(name, 100), field));
    if (!is_key_text(value)) {
      return Error(Kind::usage, fmt::format("the {} of the profile '{}' cannot be a key (it is not shown)", field,
                                            printable(name, 100)));
    }
  }
  if (!keys.session_token.empty() && !is_key_text(keys.session_token.reveal())) {
    return Error(Kind::usage, fmt::format("the aws_session_token of the profile '{}' cannot be one (it is not shown)",
                                          printable(name, 100)));
  }
  return grant;
}

Task<Result<Grant>> FileIssuer::fetch(CancelToken) {
  Result<std::optional<Profile>> profile = read_profile(places_);
  if (!profile) co_return profile.error();
  if (!*profile) co_return Error(Kind::usage, "the profile is not in its file any more");
  co_return keys_of(**profile, places_.profile.empty() ? "default" : places_.profile);
}

}  // namespace hfpour::keys
