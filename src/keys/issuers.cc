// SPDX-License-Identifier: MIT
#include "keys/issuers.h"

#include <fmt/core.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/deadline.h"

namespace hfpour::keys {
namespace {

/// The longest that one answer of each place may take, trickling included (contract s3, 5).
constexpr Millis sts_limit{10'000};
constexpr Millis agent_limit{2'000};
constexpr Millis metadata_limit{1'000};
constexpr unsigned sts_attempts = 5;
constexpr unsigned agent_attempts = 3;
constexpr Millis agent_pause{1'000};
constexpr std::size_t longest_role = 256;

/// One question that is over after `limit`, whatever happens.
Task<Result<http::Response>> ask_within(http::Client& leg, http::Request request, Millis limit, std::string who,
                                        CancelToken cancel) {
  if (cancel.cancelled()) co_return cancel.error();
  Error late(Kind::timeout, fmt::format("{} did not answer within {} s", who, limit.count() / 1000));
  Deadline deadline(leg.reactor(), limit, cancel, std::move(late));
  Result<http::Response> answer = co_await leg.fetch(std::move(request), longest_answer, deadline.token());
  co_return answer;
}

/// What a status other than 200 means. The body is not quoted: nobody knows what it repeats.
Error refusal(const std::string& who, int status, std::string_view code) {
  // STS could not reach the identity's issuer, or has too much to do: both pass.
  const bool passing =
      status == 408 || status == 429 || status >= 500 || code == "IDPCommunicationError" || code.starts_with("Throttl");
  Error error(passing         ? Kind::unavailable
              : status >= 400 ? Kind::forbidden
                              : Kind::protocol,
              fmt::format("{} {}", who, passing ? "is in trouble" : "gives no credentials"));
  error.http_status = status;
  error.code = code;
  return error;
}

std::string form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string body;
  for (const auto& [name, value] : fields) {
    body += fmt::format("{}{}={}", body.empty() ? "" : "&", name, percent_encode(value, false));
  }
  return body;
}

}  // namespace

Task<Result<Grant>> GivenIssuer::fetch(CancelToken) {
  Grant grant;
  grant.credentials = given_;
  co_return grant;
}

// --- web identity

Task<Result<Grant>> WebIdentityIssuer::fetch(CancelToken cancel) {
  RetryPolicy patience;
  patience.patience = Millis(0);
  patience.least_attempts = sts_attempts;
  Backoff backoff(patience, random_, legs_.sts.reactor().clock());
  while (true) {
    Result<Grant> grant = co_await once(cancel);
    if (grant) co_return grant;
    const std::optional<Millis> delay = backoff.after(grant.error());
    if (!delay) co_return grant;
    co_await legs_.sts.reactor().sleep(*delay, cancel);
    if (cancel.cancelled()) co_return cancel.error();
  }
}

Task<Result<Grant>> WebIdentityIssuer::once(CancelToken cancel) {
  const Result<Secret> token = read_token_file(identity_.token_file, "the web identity token file");
  if (!token) co_return token.error();
  const std::string who = "STS at " + redact(identity_.endpoint);
  const std::string session = identity_.session_name.empty() ? "hfpour" : identity_.session_name;
  http::Request request{"POST", identity_.endpoint + "/", {}, ""};
  request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  const std::string body = form({{"Action", "AssumeRoleWithWebIdentity"},
                                 {"Version", "2011-06-15"},
                                 {"RoleArn", identity_.role_arn},
                                 {"RoleSessionName", session},
                                 {"WebIdentityToken", trim(token->reveal())}});
  request.body = body;
  Result<http::Response> answer = co_await ask_within(legs_.sts, std::move(request), sts_limit, who, cancel);
  if (!answer) co_return answer.error();
  if (answer->status != 200) {
    Error error = refusal(who, answer->status, parse_sts_error(answer->body));
    error.sentence += fmt::format(" for the role '{}'", printable(identity_.role_arn, 200));
    co_return error;
  }
  Result<Grant> grant = parse_sts_grant(answer->body);
  if (!grant) co_return grant.error().at(who);
  co_return grant;
}

// --- the container's agent

Task<Result<Grant>> ContainerIssuer::fetch(CancelToken cancel) {
  for (unsigned attempt = 1;; ++attempt) {
    Result<Grant> grant = co_await once(cancel);
    if (grant || attempt == agent_attempts || !is_retryable(grant.error().kind)) co_return grant;
    co_await legs_.agent.reactor().sleep(agent_pause, cancel);
    if (cancel.cancelled()) co_return cancel.error();
  }
}

Task<Result<Grant>> ContainerIssuer::once(CancelToken cancel) {
  const std::string who = "the container's credentials service at " + redact(places_.container_uri);
  Secret token = places_.container_token;
  if (!places_.container_token_file.empty()) {
    Result<Secret> read = read_token_file(places_.container_token_file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (!read) co_return read.error();
    token = std::move(*read);
  }
  if (token.reveal().find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    co_return Error(Kind::usage, "the container's authorization token holds a line break (it is not shown)");
  }
  http::Request request{"GET", places_.container_uri, {}, ""};
  request.headers.add("Accept", "application/json");
  if (!token.empty()) request.headers.add("Authorization", token.reveal());
  Result<http::Response> answer = co_await ask_within(legs_.agent, std::move(request), agent_limit, who, cancel);
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refusal(who, answer->status, "");
  Result<Grant> grant = parse_json_grant(answer->body);
  if (!grant) co_return grant.error().at(who);
  co_return grant;
}

// --- the instance's metadata

Task<Result<http::Response>> MetadataIssuer::ask(http::Request request, CancelToken cancel) {
  Result<http::Response> answer = co_await ask_within(legs_.metadata, std::move(request), metadata_limit, "it", cancel);
  if (cancel.cancelled()) co_return cancel.error();
  if (!answer && !found_) co_return absent("does not answer");
  if (!answer) co_return Error(Kind::unavailable, who() + " does not answer");
  const int status = answer->status;
  if (status == 200) co_return answer;
  // Version 1, which needs no token, is not tried: it also answers whoever can make a server fetch an address.
  if (status >= 400 && status < 500 && status != 429)
    co_return absent(fmt::format("has none for us (HTTP {})", status));
  co_return refusal(who(), status, "");
}

std::string MetadataIssuer::who() const {
  return "the instance's metadata at " + redact(endpoint_);
}

Task<Result<Grant>> MetadataIssuer::fetch(CancelToken cancel) {
  http::Request open{"PUT", endpoint_ + "/latest/api/token", {}, ""};
  open.headers.add("x-aws-ec2-metadata-token-ttl-seconds", "21600");
  Result<http::Response> opened = co_await ask(std::move(open), cancel);
  if (!opened) co_return opened.error();
  const std::string token(trim(opened->body));
  if (!is_key_text(token)) co_return Error(Kind::protocol, who() + " gave a session token that cannot be one");

  const std::string roles = endpoint_ + "/latest/meta-data/iam/security-credentials/";
  http::Request list{"GET", roles, {}, ""};
  list.headers.add("x-aws-ec2-metadata-token", token);
  Result<http::Response> listed = co_await ask(std::move(list), cancel);
  if (!listed) co_return listed.error();
  const std::string role(trim(std::string_view(listed->body).substr(0, listed->body.find('\n'))));
  if (role.empty()) co_return absent("has no role");
  if (!is_key_text(role) || role.size() > longest_role)
    co_return Error(Kind::protocol, who() + " names a role that cannot be one");

  http::Request read{"GET", roles + percent_encode(role, false), {}, ""};
  read.headers.add("x-aws-ec2-metadata-token", token);
  Result<http::Response> answer = co_await ask(std::move(read), cancel);
  if (!answer) co_return answer.error();
  Result<Grant> grant = parse_json_grant(answer->body);
  if (!grant) co_return grant.error().at(who());
  found_ = true;
  co_return grant;
}

// --- profiles

Result<std::unique_ptr<Issuer>> issuer_of(const Profile& profile, const Places& places, Legs legs, Random& random) {
  const std::string name = places.profile.empty() ? "default" : places.profile;
  if (!setting(profile, "aws_access_key_id").empty() || !setting(profile, "aws_secret_access_key").empty()) {
    const Result<Grant> whole = keys_of(profile, name);
    if (!whole) return whole.error();
    return std::unique_ptr<Issuer>(std::make_unique<FileIssuer>(places));
  }
  WebIdentity identity{setting(profile, "role_arn"), setting(profile, "web_identity_token_file"),
                       setting(profile, "role_session_name"), places.sts_endpoint};
  if (!identity.role_arn.empty() && !identity.token_file.empty()) {
    return std::unique_ptr<Issuer>(std::make_unique<WebIdentityIssuer>(legs, random, std::move(identity)));
  }
  if (!places.profile_asked) return std::unique_ptr<Issuer>();
  return Error(Kind::usage,
               fmt::format("the profile '{}' has neither aws_access_key_id nor role_arn with a "
                           "web_identity_token_file; other ways to keys (source_profile, sso, credential_process) "
                           "are not known here",
                           printable(name, 100)));
}

}  // namespace hfpour::keys
