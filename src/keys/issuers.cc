// SPDX-License-Identifier: MIT
#include "keys/issuers.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "loop/deadline.h"

namespace hfpour::keys {
namespace {

// botocore's numbers (contract s3, 5).
constexpr unsigned attempts = 3;
constexpr Millis between_attempts{1'000};
constexpr Millis container_limit{2'000};
constexpr Millis metadata_limit{1'000};
constexpr Millis sts_limit{10'000};
constexpr std::string_view token_header = "x-aws-ec2-metadata-token";

/// One question and its answer within `limit`, however slowly the bytes trickle.
Task<Result<http::Response>> ask(http::Client& client, http::Request request, Millis limit, CancelToken cancel) {
  if (cancel.cancelled()) co_return cancel.error();
  Deadline deadline(client.reactor(), limit, cancel,
                    Error(Kind::timeout, fmt::format("no answer within {} s", limit.count() / 1000)));
  Result<http::Response> answer = co_await client.fetch(std::move(request), longest_answer, deadline.token());
  co_return answer;
}

/// What an answer other than 200 means; `code` is the service's own word for it, if it has one.
Error refusal(int status, const std::string& code) {
  const bool trouble = status >= 500 || status == 429 || status == 408 || code == "IDPCommunicationError" || code == "Throttling";
  const Kind kind = trouble ? Kind::unavailable : status >= 400 ? Kind::forbidden : Kind::protocol;
  Error error(kind, trouble ? "it is in trouble" : status >= 400 ? "it refuses" : "the answer makes no sense");
  error.http_status = status;
  error.code = code;
  return error;
}

bool another_try(const Error& error, unsigned attempt, CancelToken cancel) {
  return attempt < attempts && is_retryable(error.kind) && error.kind != Kind::protocol && !cancel.cancelled();
}

http::Request sts_request(const std::string& endpoint, const Role& role, const Secret& token) {
  http::Request request{"POST", endpoint + "/", {}, ""};
  request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.body = fmt::format(
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={}",
      percent_encode(role.arn, false), percent_encode(role.session_name.empty() ? "hfpour" : role.session_name, false),
      percent_encode(trim(token.reveal()), false));
  return request;
}

Task<Result<Grant>> assume(http::Client& client, std::string endpoint, Role role, CancelToken cancel) {
  Result<Secret> token = read_token_file(role.token_file, "the web identity token");
  if (!token) co_return token.error();
  Result<http::Response> answer = co_await ask(client, sts_request(endpoint, role, *token), sts_limit, cancel);
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refusal(answer->status, parse_sts_error(answer->body));
  co_return parse_sts_grant(answer->body);
}

/// What the agent wants to see as `Authorization`: the file, read anew, else the variable; empty if there is neither.
Result<Secret> container_token(const Places& places) {
  if (places.container_token_file.empty()) return places.container_token;
  Result<Secret> token = read_token_file(places.container_token_file, "the container's token");
  if (token && token->reveal().find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return Error(Kind::usage, fmt::format("the container's token '{}' holds a line break", printable(places.container_token_file, 200)));
  }
  return token;
}

Task<Result<Grant>> ask_agent(http::Client& client, const Places& places, CancelToken cancel) {
  const Result<Secret> token = container_token(places);
  if (!token) co_return token.error();
  http::Request request{"GET", places.container_uri, {}, ""};
  request.headers.add("Accept", "application/json");
  if (!token->empty()) request.headers.add("Authorization", token->reveal());
  Result<http::Response> answer = co_await ask(client, std::move(request), container_limit, cancel);
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refusal(answer->status, "");
  co_return parse_json_grant(answer->body);
}

Task<Result<std::string>> metadata_at(http::Client& client, http::Request request, CancelToken cancel) {
  Result<http::Response> answer = co_await ask(client, std::move(request), metadata_limit, cancel);
  if (!answer) co_return answer.error();
  if (answer->status == 404) co_return Error(Kind::not_found, "this machine has no role");
  if (answer->status != 200) co_return refusal(answer->status, "");
  co_return std::move(answer->body);
}

http::Request with_token(std::string url, const std::string& token) {
  http::Request request{"GET", std::move(url), {}, ""};
  request.headers.add(std::string(token_header), token);
  return request;
}

}  // namespace

Task<Result<Grant>> FixedIssuer::fetch(CancelToken) { co_return grant_; }

Task<Result<Grant>> WebIdentityIssuer::fetch(CancelToken cancel) {
  const std::string where = fmt::format("the web identity's keys from {}", redact(endpoint_));
  for (unsigned attempt = 1;; ++attempt) {
    Result<Grant> got = co_await assume(client_, endpoint_, role_, cancel);
    if (got) co_return got;
    if (!another_try(got.error(), attempt, cancel)) co_return got.error().at(where);
    co_await client_.reactor().sleep(between_attempts, cancel);
  }
}

Task<Result<Grant>> ContainerIssuer::fetch(CancelToken cancel) {
  const std::string where = fmt::format("the container's keys from {}", redact(places_.container_uri));
  for (unsigned attempt = 1;; ++attempt) {
    Result<Grant> got = co_await ask_agent(client_, places_, cancel);
    if (got) co_return got;
    if (!another_try(got.error(), attempt, cancel)) co_return got.error().at(where);
    co_await client_.reactor().sleep(between_attempts, cancel);
  }
}

Task<Result<Grant>> MetadataIssuer::fetch(CancelToken cancel) {
  const std::string where = fmt::format("the machine's keys from {}", redact(endpoint_));
  http::Request request{"PUT", endpoint_ + "/latest/api/token", {}, ""};
  request.headers.add("x-aws-ec2-metadata-token-ttl-seconds", "21600");
  Result<std::string> token = co_await metadata_at(client_, std::move(request), cancel);
  if (cancel.cancelled()) co_return cancel.error();
  if (!token) co_return Error(Kind::not_found, token.error().describe()).at(where);
  if (!is_key_text(*token)) co_return Error(Kind::not_found, "what answers there is no metadata service").at(where);
  const std::string list = endpoint_ + "/latest/meta-data/iam/security-credentials/";
  Result<std::string> roles = co_await metadata_at(client_, with_token(list, *token), cancel);
  if (!roles) co_return roles.error().at(where);
  const std::string role(trim(std::string_view(*roles).substr(0, roles->find('\n'))));
  if (role.empty()) co_return Error(Kind::not_found, "this machine has no role").at(where);
  Result<std::string> keys = co_await metadata_at(client_, with_token(list + percent_encode(role, false), *token), cancel);
  if (!keys) co_return keys.error().at(where);
  Result<Grant> grant = parse_json_grant(*keys);
  if (!grant) co_return grant.error().at(where);
  co_return grant;
}

}  // namespace hfpour::keys
