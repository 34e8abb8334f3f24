// SPDX-License-Identifier: MIT
#include "s3/errors.h"

#include <doctest/doctest.h>

#include <chrono>

#include "support/has.h"

using namespace hfpour;
using namespace hfpour::s3;
using namespace std::chrono_literals;
using hfpour::testing::has;

namespace {

http::Response answer(int status, std::string_view code = "", std::string_view more = "", http::Headers headers = {}) {
  std::string body;
  if (!code.empty()) {
    body = "<Error><Code>" + std::string(code) + "</Code>" + std::string(more) + "</Error>";
  }
  return {status, std::move(headers), std::move(body)};
}

/// The moment of `date_now`, in seconds since 1970.
constexpr WallTime now{std::chrono::seconds(784111777)};
constexpr const char* date_now = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* date_five_minutes_on = "Sun, 06 Nov 1994 08:54:37 GMT";
constexpr const char* date_three_minutes_back = "Sun, 06 Nov 1994 08:46:37 GMT";

}  // namespace

TEST_CASE("errors: status and code decide the kind") {
  struct Row {
    int status;
    std::string code;
    Kind kind;
  };
  const Row rows[] = {
      {503, "SlowDown", Kind::throttled},
      {503, "SlowDownRead", Kind::throttled},
      {400, "ThrottlingException", Kind::throttled},
      {400, "RequestThrottledException", Kind::throttled},
      {200, "SlowDown", Kind::throttled},
      {429, "", Kind::throttled},
      {429, "Whatever", Kind::throttled},
      {509, "", Kind::throttled},
      {500, "InternalError", Kind::unavailable},
      {200, "InternalError", Kind::unavailable},
      {500, "AccessDenied", Kind::unavailable},
      {500, "UnknownError", Kind::unavailable},
      {502, "", Kind::unavailable},
      {503, "", Kind::unavailable},
      {504, "", Kind::unavailable},
      {522, "", Kind::unavailable},
      {409, "OperationAborted", Kind::unavailable},
      {400, "RequestTimeout", Kind::timeout},
      {408, "", Kind::timeout},
      {400, "IncompleteBody", Kind::protocol},
      {400, "BadDigest", Kind::protocol},
      {400, "XAmzContentSHA256Mismatch", Kind::protocol},
      {412, "PreconditionFailed", Kind::protocol},
      {409, "ConditionalRequestConflict", Kind::protocol},
      {412, "", Kind::protocol},
      {400, "InvalidPart", Kind::protocol},
      {200, "", Kind::protocol},
      {200, "SomethingNew", Kind::protocol},
      {304, "", Kind::protocol},
      {0, "", Kind::protocol},
      {404, "NoSuchUpload", Kind::expired},
      {404, "NoSuchBucket", Kind::not_found},
      {404, "NoSuchKey", Kind::not_found},
      {404, "", Kind::not_found},
      {403, "QuotaExceeded", Kind::quota},
      {400, "EntityTooLarge", Kind::quota},
      {400, "TooManyParts", Kind::quota},
      {413, "", Kind::quota},
      {507, "XMinioStorageFull", Kind::quota},
      {400, "AuthorizationHeaderMalformed", Kind::usage},
      {301, "PermanentRedirect", Kind::usage},
      {301, "", Kind::usage},
      {307, "TemporaryRedirect", Kind::usage},
      {400, "InvalidBucketName", Kind::usage},
      {403, "AccessDenied", Kind::forbidden},
      {403, "", Kind::forbidden},
      {401, "", Kind::forbidden},
      {403, "InvalidAccessKeyId", Kind::forbidden},
      {403, "SignatureDoesNotMatch", Kind::forbidden},
      {400, "ExpiredToken", Kind::forbidden},
      {403, "RequestTimeTooSkewed", Kind::forbidden},
      {400, "MalformedXML", Kind::forbidden},
      {411, "MissingContentLength", Kind::forbidden},
      {418, "Teapot", Kind::forbidden},
      {501, "NotImplemented", Kind::forbidden},
      {501, "", Kind::forbidden},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    CAPTURE(row.code);
    const Error error = to_error("UploadPart", answer(row.status, row.code));
    CHECK(to_string(error.kind) == to_string(row.kind));
    CHECK(error.http_status == row.status);
    CHECK(error.code == row.code);
    CHECK(has(error.sentence, " UploadPart: "));
  }
}

TEST_CASE("errors: Ceph's NoSuchKey for the parts of an upload means that it is gone") {
  CHECK(to_error("ListParts", answer(404, "NoSuchKey")).kind == Kind::expired);
  CHECK(to_error("HeadObject", answer(404, "NoSuchKey")).kind == Kind::not_found);
}

TEST_CASE("errors: the sentence is readable") {
  CHECK(to_error("UploadPart", answer(403, "AccessDenied")).sentence == "the store refused UploadPart: access denied");
  CHECK(to_error("UploadPart", answer(403, "AccessDenied", "<Message>Access Denied</Message>")).sentence ==
        "the store refused UploadPart: access denied");
  CHECK(to_error("PutObject", answer(400, "Odd", "<Message>No such thing.</Message>")).sentence ==
        "the store refused PutObject: it does not accept such a request (it says \"No such "
        "thing.\")");
  CHECK(has(to_error("HeadBucket", answer(301, "PermanentRedirect", "<Endpoint>b.other</Endpoint>")).sentence,
            "the bucket is at another endpoint (it names b.other)"));
}

TEST_CASE("errors: the store's words are escaped and shortened") {
  const std::string hostile = "<Message>a\x1b[31m\nb" + std::string(5000, 'x') + "</Message>";
  const Error error = to_error("PutObject", answer(400, "Odd", hostile));
  CHECK(has(error.sentence, "a\\x1b[31m\\x0ab"));
  CHECK(has(error.sentence, "…"));
  CHECK(error.sentence.size() < 350);

  std::string umlauts;
  for (int i = 0; i < 500; ++i) umlauts += "ü";
  const Error cut = to_error("PutObject", answer(400, "x" + umlauts, "<Message>y" + umlauts + "</Message>"));
  CHECK_FALSE(has(cut.sentence, "\xc3\xe2"));  // half an umlaut before the ellipsis
  CHECK_FALSE(has(cut.code, "\xc3\xe2"));
  CHECK(cut.code.size() <= 70);

  const Error latin = to_error("PutObject", answer(400, "Odd", "<Message>b\xfc</Message>"));
  CHECK(has(latin.sentence, "\"b?\""));
}

TEST_CASE("errors: HTML, cut off or empty bodies leave the status to speak") {
  for (const std::string body : {"", "<html><h1>403</h1></html>", "<Error><Code>NoSuchB", "\n"}) {
    CAPTURE(body);
    const Error error = to_error("PutObject", {403, {}, body});
    CHECK(error.kind == Kind::forbidden);
    CHECK(error.code.empty());
  }
}

TEST_CASE("errors: the request id comes from the header, else from the document") {
  const std::string id = "<RequestId>tx-body</RequestId>";
  CHECK(to_error("X", answer(403, "AccessDenied", id)).request_id == "tx-body");
  CHECK(to_error("X", answer(403, "AccessDenied", id, {{"X-Amz-Request-Id", "tx-head"}})).request_id == "tx-head");
}

TEST_CASE("errors: the store's wish for a pause is kept") {
  struct Row {
    http::Headers headers;
    std::optional<Millis> wish;
  };
  const Row rows[] = {
      {{}, std::nullopt},
      {{{"Retry-After", "7"}}, 7s},
      {{{"Retry-After", "0"}}, 0s},
      {{{"x-amz-retry-after", "250"}}, 250ms},
      {{{"Retry-After", "7"}, {"x-amz-retry-after", "250"}}, 250ms},
      {{{"Retry-After", date_five_minutes_on}, {"Date", date_now}}, 300s},
      {{{"Retry-After", date_now}, {"Date", date_five_minutes_on}}, 0s},
      {{{"Retry-After", date_five_minutes_on}}, std::nullopt},
      {{{"Retry-After", "soon"}}, std::nullopt},
      {{{"Retry-After", "-1"}}, std::nullopt},
      {{{"Retry-After", "18446744073709551615"}}, 24h},
      {{{"x-amz-retry-after", "18446744073709551615"}}, 24h},
  };
  for (const Row& row : rows) {
    CHECK(to_error("X", answer(503, "SlowDown", "", row.headers)).retry_after == row.wish);
  }
}

TEST_CASE("errors: remedies") {
  struct Row {
    std::string what;
    http::Response answer;
    Remedy remedy;
  };
  const Row rows[] = {
      {"skew by code", answer(403, "RequestTimeTooSkewed", "", {{"Date", date_three_minutes_back}}), Remedy::fix_clock},
      {"skew by code without a date", answer(403, "RequestTimeTooSkewed"), Remedy::none},
      {"skew by date, as after HEAD", answer(403, "", "", {{"Date", date_five_minutes_on}}), Remedy::fix_clock},
      {"skew looks like a wrong signature", answer(403, "SignatureDoesNotMatch", "", {{"Date", date_five_minutes_on}}),
       Remedy::fix_clock},
      {"a small difference is none", answer(403, "", "", {{"Date", date_three_minutes_back}}), Remedy::none},
      {"a late 404 is no skew", answer(404, "", "", {{"Date", date_five_minutes_on}}), Remedy::none},
      {"region by element", answer(400, "AuthorizationHeaderMalformed", "<Region>r1</Region>"), Remedy::learn_region},
      {"region not named", answer(400, "AuthorizationHeaderMalformed"), Remedy::none},
      {"region by header", answer(301, "", "", {{"x-amz-bucket-region", "r1"}}), Remedy::learn_region},
      {"region of a bare 400", answer(400, "", "", {{"x-amz-bucket-region", "r1"}}), Remedy::learn_region},
      {"no region of a 403", answer(403, "", "", {{"x-amz-bucket-region", "r1"}}), Remedy::none},
      {"region on every error of a store", answer(403, "AccessDenied", "<Region>r1</Region>"), Remedy::none},
      {"token", answer(400, "ExpiredToken"), Remedy::refresh_credentials},
      {"key", answer(403, "InvalidAccessKeyId"), Remedy::refresh_credentials},
      {"signature", answer(403, "SignatureDoesNotMatch"), Remedy::refresh_credentials},
      {"damaged", answer(400, "BadDigest"), Remedy::resend_part},
      {"cut", answer(400, "IncompleteBody"), Remedy::resend_part},
      {"header named", answer(501, "NotImplemented", "<Header>If-None-Match</Header>"), Remedy::drop_header},
      {"header mentioned", answer(501, "NotImplemented", "<Message>A header you sent</Message>"), Remedy::drop_header},
      {"call not implemented", answer(501, "NotImplemented"), Remedy::none},
      {"denied", answer(403, "AccessDenied"), Remedy::none},
      {"slow", answer(503, "SlowDown"), Remedy::none},
      {"trouble hides the rest", answer(500, "BadDigest"), Remedy::none},
      {"fine", answer(200), Remedy::none},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(static_cast<int>(remedy_for(row.answer, now)) == static_cast<int>(row.remedy));
  }
}

TEST_CASE("errors: the clock's offset is positive when the store is ahead") {
  CHECK(clock_offset(answer(403, "", "", {{"Date", date_five_minutes_on}}), now) == 300s);
  CHECK(clock_offset(answer(403, "", "", {{"Date", date_three_minutes_back}}), now) == -180s);
  CHECK_FALSE(clock_offset(answer(403), now).has_value());
}

TEST_CASE("errors: a region is learnt from header, element, endpoint or location, if it is one") {
  struct Row {
    http::Response answer;
    std::optional<std::string> region;
  };
  const Row rows[] = {
      {answer(301, "PermanentRedirect", "<Region>r2</Region>", {{"x-amz-bucket-region", "r1"}}), "r1"},
      {answer(400, "AuthorizationHeaderMalformed", "<Region>r2</Region>"), "r2"},
      {answer(301, "PermanentRedirect", "<Endpoint>b.s3-eu-west-1.amazonaws.com</Endpoint>"), "eu-west-1"},
      {answer(307, "", "", {{"Location", "https://B.s3.Eu-West-2.amazonaws.com:443/k?x"}}), "eu-west-2"},
      {answer(301, "", "", {{"x-amz-bucket-region", "evil.example/"}}), std::nullopt},
      {answer(301, "PermanentRedirect", "<Endpoint>other.example</Endpoint>"), std::nullopt},
      {answer(301), std::nullopt},
  };
  for (const Row& row : rows) CHECK(learned_region(row.answer) == row.region);
}

TEST_CASE("errors: a 501 names the header to leave out") {
  CHECK(unwanted_header(answer(501, "NotImplemented", "<Header>If-None-Match</Header>")) == "if-none-match");
  CHECK_FALSE(unwanted_header(answer(501, "NotImplemented")).has_value());
  CHECK_FALSE(unwanted_header(answer(400, "X", "<Header>a</Header>")).has_value());
}
