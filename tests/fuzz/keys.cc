// SPDX-License-Identifier: MIT
// What gives out keys: the container's agent and the metadata service, STS, the shared files. The first line names a
// profile.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "harness.h"
#include "keys/grant.h"
#include "keys/places.h"
#include "keys/profile.h"

namespace hfpour::fuzz {
namespace {

void require_grant(const Result<keys::Grant>& grant) {
  if (!grant) return require_fit_for_a_log(grant.error());
  const s3::Credentials& keys = grant->credentials;
  require(keys::is_key_text(keys.access_key_id) && keys::is_key_text(keys.secret.reveal()),
          "keys can stand in a request");
  require(keys.session_token.empty() || keys::is_key_text(keys.session_token.reveal()),
          "a token can stand in a request");
}

void take_variables(const std::vector<std::string>& lines) {
  keys::Variables variables;
  for (const std::string& line : lines) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  const Result<keys::Places> places = keys::read_places(variables);
  if (!places) return require_fit_for_a_log(places.error());
  require(places->container_uri.empty() || keys::check_container_uri(places->container_uri).has_value(),
          "keys are only asked for where they may be");
}

/// The document again, with a secret in it that cannot be one or that comes with something else that is wrong.
void take_secret(std::string_view input) {
  nlohmann::json object = nlohmann::json::parse(input, nullptr, false);
  if (!object.is_object()) return;
  const auto id = object.find("AccessKeyId");
  const bool textual = id != object.end() && id->is_string();
  object["SecretAccessKey"] = std::string(hidden) + (textual ? id->get<std::string>() : "");
  object["Token"] = std::string(hidden) + "\n";
  const Result<keys::Grant> grant = keys::parse_json_grant(object.dump());
  require(!grant, "a token holds no line break");
  require_kept_secret(grant.error(), input);
}

}  // namespace

void take(std::string_view input) {
  require_grant(keys::parse_json_grant(input));
  take_secret(input);
  require_grant(keys::parse_sts_grant(input));
  const std::string code = keys::parse_sts_error(input);
  require(code.empty() || keys::is_key_text(code), "a code is a word");
  take_variables(lines_of(input));
  const std::string name(take_line(input));
  for (const bool config : {false, true}) {
    const std::optional<keys::Profile> profile = keys::find_profile(input, name, config);
    if (profile) require_grant(keys::keys_of(*profile, name));
    const std::string half =
        fmt::format("[{}{}]\naws_secret_access_key={} x\n{}", config ? "profile " : "", name, hidden, input);
    const std::optional<keys::Profile> with_secret = keys::find_profile(half, name, config);
    if (!with_secret) continue;
    const Result<keys::Grant> grant = keys::keys_of(*with_secret, name);
    if (!grant) require_kept_secret(grant.error(), std::string(input) + name);
  }
}

}  // namespace hfpour::fuzz
