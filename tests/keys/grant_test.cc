// SPDX-License-Identifier: MIT
#include "keys/grant.h"

#include <doctest/doctest.h>

using namespace hfpour;

namespace {

std::string sts(const std::string& inner, const std::string& root = "AssumeRoleWithWebIdentityResponse") {
  return "<?xml version=\"1.0\"?>\n<" + root +
         " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>" + inner +
         "</AssumeRoleWithWebIdentityResult></" + root + ">";
}

}  // namespace

TEST_CASE("grant: as a container's agent writes it") {
  const Result<keys::Grant> grant = keys::parse_json_grant(
      R"({"AccessKeyId": "A", "SecretAccessKey": "s/+=", "Token": "t", "Expiration": "2026-11-21T10:20:30Z", "More": [1]})");
  REQUIRE(grant);
  CHECK(grant->credentials.access_key_id == "A");
  CHECK(grant->credentials.secret.reveal() == "s/+=");
  CHECK(grant->credentials.session_token.reveal() == "t");
  REQUIRE(grant->expires);
  CHECK(std::chrono::system_clock::to_time_t(*grant->expires) == 1795256430);
  const Result<keys::Grant> offset = keys::parse_json_grant(
      R"({"AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "2026-11-21T10:20:30+00:00"})");
  REQUIRE(offset);
  CHECK(offset->expires == grant->expires);
}

TEST_CASE("grant: what cannot be keys is refused and not quoted") {
  for (const char* const text :
       {"", "null", "[]", "{}", "\"geheim\"", R"({"AccessKeyId": "A"})",
        R"({"AccessKeyId": 1, "SecretAccessKey": "s"})", R"({"AccessKeyId": "A\n", "SecretAccessKey": "geheim"})",
        R"({"AccessKeyId": "A", "SecretAccessKey": "geheim geheim"})",
        R"({"AccessKeyId": "A", "SecretAccessKey": "geheim", "Token": "ä"})",
        R"({"AccessKeyId": "A", "SecretAccessKey": "geheim", "Expiration": "soon"})",
        R"({"Code": "Failed", "AccessKeyId": "A", "SecretAccessKey": "geheim"})"}) {
    const Result<keys::Grant> grant = keys::parse_json_grant(text);
    REQUIRE_FALSE(grant);
    CHECK(grant.error().kind == Kind::protocol);
    CHECK(grant.error().sentence.find("geheim") == std::string::npos);
  }
  CHECK_FALSE(keys::parse_json_grant(std::string(60'000, '[')));
}

TEST_CASE("grant: as STS writes it") {
  const std::string keys =
      "<Credentials><SessionToken> t </SessionToken><SecretAccessKey>s</SecretAccessKey>"
      "<Expiration>2026-11-21T10:20:30.123Z</Expiration><AccessKeyId>A</AccessKeyId></Credentials>";
  const Result<keys::Grant> grant = keys::parse_sts_grant(sts(keys));
  REQUIRE(grant);
  CHECK(grant->credentials.access_key_id == "A");
  CHECK(grant->credentials.session_token.reveal() == "t");
  CHECK(grant->expires);
  for (const std::string& text :
       {std::string(), std::string("x"), sts(""), sts(keys, "Other"), sts("<Credentials/>"), sts(keys).substr(0, 200),
        sts("<Credentials><AccessKeyId>A&#10;</AccessKeyId><SecretAccessKey>a b</SecretAccessKey></Credentials>")}) {
    CHECK_FALSE(keys::parse_sts_grant(text));
  }
}

TEST_CASE("grant: the code of a refusal of STS") {
  CHECK(
      keys::parse_sts_error(
          "<ErrorResponse xmlns=\"x\"><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>") ==
      "AccessDenied");
  CHECK(keys::parse_sts_error("<Error><Code>InvalidIdentityToken</Code></Error>") == "InvalidIdentityToken");
  for (const char* const text :
       {"", "x", "<a/>", "<ErrorResponse><Error><Code>two words</Code></Error></ErrorResponse>"}) {
    CHECK(keys::parse_sts_error(text).empty());
  }
  const auto of_length = [](std::size_t count) {
    return keys::parse_sts_error("<Error><Code>" + std::string(count, 'A') + "</Code></Error>");
  };
  CHECK(of_length(64) == std::string(64, 'A'));
  CHECK(of_length(65).empty());
}
