// SPDX-License-Identifier: MIT
#include "hub/errors.h"

#include <doctest/doctest.h>

#include <vector>

#include "base/clock.h"

using namespace hfpour;
using namespace hfpour::hub;
using http::Headers;
using http::Response;

namespace {

struct Case {
  int status;
  const char* code;
  const char* message;
  bool with_token;
  Kind kind;
  const char* sentence;
};

Response answer(const Case& one) {
  Response response;
  response.status = one.status;
  if (*one.code != '\0') response.headers.add("x-error-code", one.code);
  if (*one.message != '\0') response.headers.add("x-error-message", one.message);
  return response;
}

}  // namespace

TEST_CASE("hub errors: every failure of the Hub has its kind and its sentence") {
  const char* const bad_login = "Invalid username or password.";
  const char* const bad_token = "Invalid credentials in Authorization header";
  const char* const disabled = "Access to this resource is disabled.";
  const std::vector<Case> cases = {
      {401, "", bad_login, false, Kind::not_found, "does not exist, or is private: set HF_TOKEN"},
      {401, "", bad_login, true, Kind::forbidden, "does not accept the token"},
      {401, "", bad_token, true, Kind::forbidden, "does not accept the token"},
      {404, "RepoNotFound", "", true, Kind::not_found, "does not exist, or this token may not see it"},
      {404, "RepoNotFound", "", false, Kind::not_found, "set HF_TOKEN"},
      {404, "RevisionNotFound", "Invalid rev id: x", true, Kind::not_found, "no such revision"},
      {404, "EntryNotFound", "", true, Kind::not_found, "no such file"},
      {401, "GatedRepo", "", false, Kind::forbidden, "is gated: accept its terms on the Hub and set HF_TOKEN"},
      {401, "GatedRepo", "", true, Kind::forbidden, "is gated, and the Hub does not accept the token"},
      {403, "GatedRepo", disabled, true, Kind::forbidden, "has no access yet"},
      {403, "", disabled, true, Kind::forbidden, "is disabled"},
      {403, "", "IP not allowed", true, Kind::forbidden, "denies access and says 'IP not allowed'"},
      {404, "", "", true, Kind::not_found, "does not exist on the Hub"},
      {410, "", "", true, Kind::not_found, "does not exist on the Hub"},
      {400, "", "bad expand", true, Kind::internal, "refuses the request and says 'bad expand'"},
      {408, "", "", true, Kind::timeout, "by https://hub.test in time"},
      {416, "", "", true, Kind::protocol, "range"},
      {429, "", "", true, Kind::throttled, "rate limit of https://hub.test is used up"},
      {451, "", "", true, Kind::forbidden, "legal"},
      {500, "", "", true, Kind::unavailable, "in trouble"},
      {503, "", "", true, Kind::unavailable, "https://hub.test is in trouble"},
      {200, "", "", true, Kind::protocol, "should not give"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.status);
    CAPTURE(one.code);
    const Error error = to_error("me/repo@main", answer(one), one.with_token, "https://hub.test/api/x");
    CAPTURE(error.sentence);
    CHECK(error.kind == one.kind);
    CHECK(error.sentence.starts_with("me/repo@main "));
    CHECK(error.sentence.find(one.sentence) != std::string::npos);
    CHECK(error.http_status == one.status);
    CHECK(error.code == one.code);
  }
}

TEST_CASE("hub errors: the message may stand in the body, unless it is HTML") {
  const auto sentence = [](const char* body) {
    return to_error("x", Response{403, {}, body}, true, "https://hub.test/api/x").sentence;
  };
  CHECK(sentence(R"({"error":"no scope"})").find("'no scope'") != std::string::npos);
  CHECK(sentence(R"({"error":["a","b"]})").find("'a'") != std::string::npos);
  CHECK(sentence(R"({"errors":[{"message":"m"}]})").find("'m'") != std::string::npos);
  CHECK(sentence(R"({"error_description":"d"})").find("'d'") != std::string::npos);
  CHECK(sentence("<html><h1>403</h1>").find("says") == std::string::npos);
  CHECK(sentence(R"({"error":"<html>"})").find("says") == std::string::npos);
  CHECK(sentence("{broken").find("says") == std::string::npos);
  CHECK(sentence(R"({"error":{"message":5}})").find("says") == std::string::npos);
  CHECK(sentence(R"({"error":"two\nlines"})").find('\n') == std::string::npos);
  CHECK(sentence(("{\"error\":\"" + std::string(9000, 'x') + "\"}").c_str()).size() < 400);
}

TEST_CASE("hub errors: the disabled message counts from the body too") {
  const Response response{403, {}, R"({"error":"Access to this resource is disabled."})"};
  CHECK(to_error("x", response, true, "https://hub.test/api/x").sentence.find("is disabled") != std::string::npos);
}

TEST_CASE("hub errors: a full bucket is waited out, else the server's wish holds") {
  const auto wait = [](int status, Headers headers) {
    return to_error("x", Response{status, std::move(headers), "<html>"}, true, "https://hub.test/api/x").retry_after;
  };
  CHECK(wait(429, {{"RateLimit", "\"resolvers\";r=0;t=2"}}) == Millis(3000));
  CHECK(wait(429, {{"RateLimit", "\"api\";r=0;t=2"}, {"Retry-After", "60"}}) == Millis(3000));
  CHECK(wait(429, {{"RateLimit", "\"api\";r=9;t=2"}, {"Retry-After", "60"}}) == Millis(60000));
  CHECK(wait(429, {{"Retry-After", "7"}}) == Millis(7000));
  CHECK_FALSE(wait(429, {}));
  CHECK(wait(503, {{"Retry-After", "5"}, {"RateLimit", "\"api\";r=0;t=2"}}) == Millis(5000));
  CHECK_FALSE(wait(404, {{"Retry-After", "5"}}));
}

TEST_CASE("hub errors: the request id is kept for support") {
  CHECK(to_error("x", Response{500, {{"x-request-id", "Root=1"}}, ""}, true, "https://hub.test/api/x").request_id ==
        "Root=1");
  CHECK(to_error("x", Response{500, {{"X-Amz-Cf-Id", "cf"}}, ""}, true, "https://hub.test/api/x").request_id == "cf");
}
