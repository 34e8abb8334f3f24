// SPDX-License-Identifier: MIT
#include "hub/errors.h"

#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/text.h"
#include "http/headers.h"
#include "http/url.h"
#include "hub/bounded_json.h"

namespace hfpour::hub {
namespace {

using nlohmann::json;

constexpr std::size_t message_limit = 200;

// The only marks of these two cases are the messages themselves (huggingface_hub utils/_http.py).
constexpr std::string_view disabled_message = "Access to this resource is disabled.";
constexpr std::string_view credentials_message = "Invalid credentials in Authorization header";

struct Verdict {
  Kind kind;
  std::string sentence;
};

constexpr std::array<std::string_view, 4> error_fields = {"error", "errors", "error_description", "message"};

/// The text of `"…"`, `["…"]` or `[{"message": "…"}]`; empty for anything else.
std::string first_text(const json& value) {
  const json& first = value.is_array() && !value.empty() ? value.front() : value;
  if (first.is_string()) return first.get<std::string>();
  if (!first.is_object() || !first.contains("message")) return {};
  const json& message = first.at("message");
  return message.is_string() ? message.get<std::string>() : std::string();
}

/// What the Hub itself says, in one printable line; empty if it says nothing or says it in HTML.
std::string message_of(const http::Response& response) {
  std::string message = response.headers.get("X-Error-Message").value_or("");
  if (message.empty() && trim(response.body).starts_with('{')) {
    const json body = parse_bounded(response.body, JsonShape{error_fields}).value_or(json());
    for (const std::string_view name : {"error", "errors", "error_description"}) {
      if (message.empty() && body.is_object() && body.contains(name)) {
        message = first_text(body.at(name));
      }
    }
  }
  const std::string_view text = trim(message);
  return text.starts_with('<') ? std::string() : printable(text, message_limit);
}

std::string request_id_of(const http::Headers& headers) {
  for (const std::string_view name : {"X-Request-Id", "X-Amzn-Trace-Id", "X-Amz-Cf-Id"}) {
    if (const auto id = headers.get(name)) return printable(*id, 120);
  }
  return {};
}

/// Time the Hub wants to be left alone. The 429 of the Hub has no `Retry-After` (§5.2): the window
/// of its `RateLimit` says when, and one second more makes sure that it is over.
std::optional<Millis> wait_of(const http::Headers& headers, int status) {
  const auto limit = http::parse_rate_limit(headers);
  if (status == 429 && limit && limit->remaining == 0) {
    return limit->reset + std::chrono::seconds(1);
  }
  const auto asked = http::parse_retry_after(headers);
  return asked ? std::optional<Millis>(*asked) : std::nullopt;
}

std::string gated_sentence(int status, bool with_token) {
  if (!with_token) return "is gated: accept its terms on the Hub and set HF_TOKEN";
  if (status == 401) return "is gated, and the Hub does not accept the token in HF_TOKEN";
  return "is gated, and the owner of the token has no access yet: ask for it on the Hub";
}

Verdict unauthorised(std::string_view message, bool with_token) {
  if (with_token || message.starts_with(credentials_message)) {
    return {Kind::forbidden,
            "cannot be read: the Hub does not accept the token in HF_TOKEN; it is "
            "malformed, expired or revoked"};
  }
  return {Kind::not_found, "does not exist, or is private: set HF_TOKEN"};
}

Verdict by_status(int status, const std::string& message, bool with_token, const std::string& place) {
  const std::string said = message.empty() ? "" : " and says '" + message + "'";
  if (status == 401) return unauthorised(message, with_token);
  if (status == 403) return {Kind::forbidden, "cannot be read: the Hub denies access" + said};
  if (status == 404 || status == 410) return {Kind::not_found, "does not exist on the Hub"};
  if (status == 408) return {Kind::timeout, "was not answered by " + place + " in time"};
  if (status == 416) return {Kind::protocol, "got a range refused that lies inside the file"};
  if (status == 429) return {Kind::throttled, "has to wait: the rate limit of " + place + " is used up"};
  if (status == 451) return {Kind::forbidden, "is withheld by the Hub for legal reasons" + said};
  if (status >= 500) return {Kind::unavailable, "cannot be read: " + place + " is in trouble" + said};
  if (status >= 400) return {Kind::internal, "cannot be read: the Hub refuses the request" + said};
  return {Kind::protocol, "got an answer that the Hub should not give here"};
}

/// The order of the checks is the official client's: an error code outweighs the message, and that
/// the bare status.
Verdict judge(const http::Response& response, const std::string& code, bool with_token, const std::string& place) {
  const std::string message = message_of(response);
  if (code == "RevisionNotFound") {
    return {Kind::not_found, "does not exist: the repository has no such revision"};
  }
  if (code == "EntryNotFound") {
    return {Kind::not_found, "does not exist: the revision has no such file"};
  }
  if (code == "GatedRepo") return {Kind::forbidden, gated_sentence(response.status, with_token)};
  if (message == disabled_message) {
    return {Kind::forbidden, "is disabled: the Hub serves none of its files to anybody"};
  }
  if (code == "RepoNotFound") {
    return {Kind::not_found, with_token ? "does not exist, or this token may not see it"
                                        : "does not exist, or is private: set HF_TOKEN"};
  }
  return by_status(response.status, message, with_token, place);
}

}  // namespace

Error to_error(std::string_view what, const http::Response& response, bool with_token, const std::string& url) {
  const std::string code = printable(response.headers.get("X-Error-Code").value_or(""), 80);
  const Verdict verdict = judge(response, code, with_token, http::origin_of_text(url));
  Error error(verdict.kind, fmt::format("{} {}", printable(what), verdict.sentence));
  error.http_status = response.status;
  error.code = code;
  error.request_id = request_id_of(response.headers);
  if (is_retryable(verdict.kind)) error.retry_after = wait_of(response.headers, response.status);
  return error;
}

}  // namespace hfpour::hub
