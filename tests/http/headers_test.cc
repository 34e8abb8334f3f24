// SPDX-License-Identifier: MIT
#include "http/headers.h"

#include <doctest/doctest.h>

using namespace hfpour;
using namespace hfpour::http;
using std::chrono::seconds;

namespace {

constexpr std::string_view page_url = "https://huggingface.co/api/models/me/repo/tree/0123?recursive=true&expand=false";

std::optional<std::string> next_of(const std::vector<std::string>& fields) {
  const auto next = parse_link(fields, page_url);
  REQUIRE(next);
  return *next;
}

}  // namespace

TEST_CASE("content range: ranges are half-open and may lack a total") {
  const auto range = parse_content_range("bytes 0-15/16");
  REQUIRE(range);
  CHECK(*range == ContentRange{0, 16, 16});
  CHECK(*parse_content_range(" Bytes 5-5/* ") == ContentRange{5, 6, std::nullopt});
  CHECK(*parse_content_range("bytes 4294967296-4294967296/5000000000") ==
        ContentRange{4294967296, 4294967297, 5000000000});
}

TEST_CASE("content range: an unsatisfied one tells the size only") {
  const auto range = parse_content_range("bytes */177");
  REQUIRE(range);
  CHECK_FALSE(range->satisfied());
  CHECK(range->total == 177);
}

TEST_CASE("content range: what contradicts itself is refused") {
  for (const char* const text :
       {"", "bytes", "bytes 0-15", "bytes 9-3/20", "bytes 0-20/20", "bytes */*", "bytes -5/20", "bytes 0-/20",
        "items 0-1/2", "bytes 0-1/2x", "bytes 0-18446744073709551615/*", "bytes a-b/c", "bytes +1-2/3"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_content_range(text));
  }
}

TEST_CASE("link: the next page is found however RFC 8288 lets it be written") {
  const std::string absolute = "https://huggingface.co/api/x?cursor=ab%3D%3D&limit=1000";
  CHECK(next_of({"<" + absolute + ">; rel=\"next\""}) == absolute);
  CHECK(next_of({"<" + absolute + ">;rel=next"}) == absolute);
  CHECK(next_of({"<" + absolute + "> ; REL = \"Next\" "}) == absolute);
  CHECK(next_of({"<" + absolute + ">; title=\"a, b; \\\"c\"; rel=\"next\""}) == absolute);
  CHECK(next_of({"<" + absolute + ">; rel=\"last next\""}) == absolute);
  CHECK(next_of({"</a,b>; rel=prev, <" + absolute + ">; rel=next, "}) == absolute);
  CHECK(next_of({"</p>; rel=prev", "<" + absolute + ">; rel=next"}) == absolute);
  CHECK(next_of({"<" + absolute + ">;; rel=next;"}) == absolute);
}

TEST_CASE("link: relative addresses count from the request") {
  CHECK(next_of({"</api/y?cursor=2>; rel=next"}) == "https://huggingface.co/api/y?cursor=2");
  CHECK(next_of({"<?cursor=2>; rel=next"}) == "https://huggingface.co/api/models/me/repo/tree/0123?cursor=2");
}

TEST_CASE("link: no next page is the end of the list") {
  CHECK_FALSE(next_of({}));
  CHECK_FALSE(next_of({"<https://x.example/t>; rel=\"xet-auth\""}));
  CHECK_FALSE(next_of({"<https://x.example/t>; rel=prev; rel=next"}));
  CHECK_FALSE(next_of({"<https://x.example/t>; rel=nextish"}));
}

TEST_CASE("link: a malformed field is an error and never the end") {
  for (const char* const text :
       {"https://x.example/2; rel=next", "<https://x.example/2; rel=next", "<https://x/>; rel=\"next",
        "<https://x.example/2> rel=next", "<https://x.example/2>; rel=", "<>; rel=next",
        "<ftp://x.example/2>; rel=next", "<https://x.example/a b>; rel=next", "garbage",
        "<https://x/1>; rel=next, <https://x/2>; rel=next"}) {
    CAPTURE(text);
    const auto next = parse_link({text}, page_url);
    REQUIRE_FALSE(next);
    CHECK(next.error().kind == Kind::protocol);
  }
}

TEST_CASE("rate limit: bucket, remaining and reset are read in any order and case") {
  const auto limit = parse_rate_limit({{"ratelimit", "\"resolvers\";r=2999;t=172"}});
  REQUIRE(limit);
  CHECK(limit->bucket == "resolvers");
  CHECK(limit->remaining == 2999);
  CHECK(limit->reset == seconds(172));
  const auto loose = parse_rate_limit({{"RateLimit", "api; t=2; pk=:x:; r=0"}});
  REQUIRE(loose);
  CHECK(loose->bucket == "api");
  CHECK(loose->remaining == 0);
  CHECK(loose->reset == seconds(2));
}

TEST_CASE("rate limit: what is not understood is not there") {
  CHECK_FALSE(parse_rate_limit({}));
  CHECK_FALSE(parse_rate_limit({{"RateLimit", ""}}));
  CHECK_FALSE(parse_rate_limit({{"RateLimit", "\"api\";r=5"}}));
  CHECK_FALSE(parse_rate_limit({{"RateLimit", "\"api\";r=-5;t=1"}}));
  CHECK(parse_rate_limit({{"RateLimit", "\"a\";r=0;t=18446744073709551615"}})->reset == std::chrono::hours(24));
}

TEST_CASE("retry-after: seconds, dates, and the answer's own clock") {
  const WallTime now = std::chrono::system_clock::from_time_t(784111777);  // 06 Nov 1994 08:49:37
  CHECK(parse_retry_after({{"Retry-After", " 120 "}}) == seconds(120));
  CHECK(parse_retry_after({{"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}}, now) == seconds(60));
  CHECK(parse_retry_after({{"Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT"}}, now) == seconds(0));
  CHECK(parse_retry_after({{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                           {"Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"}}) == seconds(10));
  CHECK(parse_retry_after({{"Retry-After", "99999999999"}}) == std::chrono::hours(24));
  CHECK_FALSE(parse_retry_after({{"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  CHECK_FALSE(parse_retry_after({{"Retry-After", "soon"}}, now));
  CHECK_FALSE(parse_retry_after({}, now));
}

TEST_CASE("http date: the three forms of the standard are one moment") {
  const WallTime moment = std::chrono::system_clock::from_time_t(784111777);
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == moment);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == moment);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == moment);
  CHECK_FALSE(parse_http_date(""));
  CHECK_FALSE(parse_http_date("784111777"));
  CHECK_FALSE(parse_http_date("Someday"));
}

// Found by tests/fuzz (fields, answer): libcurl reads any year, and the clock overflowed.
TEST_CASE("http date: a year that the clock cannot count is no date") {
  CHECK(parse_http_date("Wed, 01 Jan 2262 00:00:00 GMT"));
  for (const char* text :
       {"Sun, 06 Nov 2302 08:49:37 GMT", "Sat, 21 Nov 202610 10:20:30 GMT", "Sun, 06 Nov 9999 08:49:37 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
    CHECK_FALSE(parse_retry_after({{"Retry-After", text}, {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  }
}

TEST_CASE("etag: the weak mark and the quotes go") {
  CHECK(unquote_etag("\"abc\"") == "abc");
  CHECK(unquote_etag("W/\"abc\"") == "abc");
  CHECK(unquote_etag(" abc ") == "abc");
  CHECK(unquote_etag("\"") == "\"");
  CHECK(unquote_etag("") == "");
}
