// SPDX-License-Identifier: MIT
#include "hub/link.h"

#include <doctest/doctest.h>

using namespace hfpour;
using namespace hfpour::hub;
using http::Headers;
using http::Response;
using std::chrono::seconds;

namespace {

const std::string commit(40, 'a');
const std::string digest(64, 'b');
const std::string date = "Tue, 18 Aug 2026 12:00:00 GMT";
constexpr std::int64_t date_seconds = 1787054400;
const WallTime now = std::chrono::system_clock::from_time_t(1000);  // a clock that is far off

ResolveRequest request() {
  return ResolveRequest{"me/repo@main/m.bin",
                        "https://hub.example/me/repo/resolve/" + commit + "/m.bin",
                        "https://hub.example",
                        commit,
                        42,
                        *parse_hash("sha256", digest),
                        true,
                        now};
}

Result<Link> read(int status, Headers headers) {
  return read_resolve_answer(request(), Response{status, std::move(headers), ""});
}

std::string signed_url(std::int64_t expires) {
  return "https://cdn.example/x/y?response-content-disposition=a%3B%20b&Expires=" + std::to_string(expires) +
         "&Policy=p~_&Signature=s%2b";
}

seconds life(const Result<Link>& link) {
  return std::chrono::duration_cast<seconds>(link->good_until - now);
}

Headers lfs_headers(std::string location) {
  return {{"Location", std::move(location)},
          {"Date", date},
          {"x-repo-commit", commit},
          {"X-Linked-Size", "42"},
          {"X-Linked-ETag", "\"" + digest + "\""},
          {"Content-Length", "1234"}};
}

}  // namespace

TEST_CASE("link: an LFS file is at the CDN, byte for byte where the Hub says") {
  for (const int status : {301, 302, 303, 307, 308}) {
    const auto link = read(status, lfs_headers(signed_url(date_seconds + 3600)));
    REQUIRE(link);
    CHECK(link->url == signed_url(date_seconds + 3600));
    CHECK_FALSE(link->on_hub);
    CHECK_FALSE(link->bare_resolve);
    CHECK_FALSE(link->ask_again);
    CHECK(life(link) == seconds(2880));
  }
}

TEST_CASE("link: a git file stays on the Hub") {
  const auto link =
      read(307, {{"location", "/api/resolve-cache/models/me/repo/" + commit + "/resolve/x?%2Fa=&etag=%22c%22"},
                 {"X-Repo-Commit", commit},
                 {"Content-Length", "341"}});
  REQUIRE(link);
  CHECK(link->url ==
        "https://hub.example/api/resolve-cache/models/me/repo/" + commit + "/resolve/x?%2Fa=&etag=%22c%22");
  CHECK(link->on_hub);
  CHECK_FALSE(link->bare_resolve);
  CHECK_FALSE(link->ask_again);
  CHECK(life(link) == std::chrono::minutes(40));
}

TEST_CASE("link: a renamed repository is asked again under its new name") {
  const auto link = read(307, {{"Location", "/you/repo/resolve/" + commit + "/m.bin"}});
  REQUIRE(link);
  CHECK(link->ask_again);
  CHECK(link->bare_resolve);
  CHECK(link->on_hub);
  const auto away = read(308, {{"Location", "https://other.example/me/repo/resolve/main/m.bin"}});
  REQUIRE(away);
  CHECK(away->ask_again);
  CHECK_FALSE(away->on_hub);
}

TEST_CASE("link: a Hub that answers at once has no signature that a range could spoil") {
  const auto link = read(200, {{"X-Repo-Commit", commit}, {"Content-Length", "42"}});
  REQUIRE(link);
  CHECK(link->url == request().url);
  CHECK(link->on_hub);
  CHECK_FALSE(link->bare_resolve);
  CHECK_FALSE(link->ask_again);
}

TEST_CASE("link: the life of an address is measured by the Hub's clock") {
  const auto amz = [](const char* query) {
    return read(302, {{"Date", date}, {"Location", std::string("https://c.example/x?") + query}});
  };
  CHECK(life(amz("X-Amz-Date=20260818T115000Z&X-Amz-Expires=3600")) == seconds(3000 * 4 / 5));
  CHECK(life(amz("x-amz-expires=100&x-amz-date=20260818T120000Z")) == seconds(80));
  CHECK(life(amz("X-Amz-Date=20261318T115000Z&X-Amz-Expires=3600")) == seconds(2400));
  CHECK(life(amz("X-Amz-Date=20260818T115000Z")) == seconds(2400));
  CHECK(life(amz("Expires=soon")) == seconds(2400));
  CHECK(life(amz("Expires=18446744073709551615")) == seconds(2400));
  CHECK(life(amz("Expires=99999999999")) == seconds(7 * 86400 * 4 / 5));
  CHECK(life(amz("a=b")) == seconds(2400));
}

TEST_CASE("link: without the Hub's clock our own must do and cannot condemn") {
  const auto fresh = read(302, {{"Location", signed_url(1000 + 100)}});
  CHECK(life(fresh) == seconds(80));
  const auto past = read(302, {{"Location", signed_url(500)}});
  REQUIRE(past);
  CHECK(life(past) == seconds(2400));
}

TEST_CASE("link: an address that is dead on arrival is asked for anew") {
  const auto link = read(302, lfs_headers(signed_url(date_seconds)));
  REQUIRE_FALSE(link);
  CHECK(link.error().kind == Kind::expired);
}

TEST_CASE("link: what differs from the listing is not fetched") {
  const std::string target = signed_url(date_seconds + 3600);
  const auto kind = [&target](const char* name, std::string value) {
    const auto link = read(302, {{"Location", target}, {name, std::move(value)}});
    return link ? Kind::cancelled : link.error().kind;
  };
  CHECK(kind("X-Repo-Commit", std::string(40, 'c')) == Kind::integrity);
  CHECK(kind("X-Linked-Size", "43") == Kind::integrity);
  CHECK(kind("X-Linked-Size", "many") == Kind::protocol);
  CHECK(kind("X-Linked-ETag", "\"" + std::string(64, 'c') + "\"") == Kind::integrity);
  CHECK(kind("X-Linked-ETag", "W/\"" + std::string(64, 'B') + "\"") == Kind::cancelled);
  CHECK(kind("X-Linked-ETag", "\"" + std::string(64, '*') + "\"") == Kind::cancelled);
  CHECK(kind("X-Linked-ETag", "\"" + std::string(40, 'c') + "\"") == Kind::cancelled);
  const auto direct = read(200, {{"X-Linked-Size", "41"}});
  CHECK(direct.error().kind == Kind::integrity);
}

TEST_CASE("link: a redirect that cannot be followed is refused without its query") {
  const auto refused = [](Headers headers) {
    const auto link = read(302, std::move(headers));
    REQUIRE_FALSE(link);
    CHECK(link.error().kind == Kind::protocol);
    CHECK(link.error().sentence.find("s3cret") == std::string::npos);
    CHECK(link.error().sentence.starts_with("me/repo@main/m.bin: "));
  };
  refused({});
  refused({{"Location", " "}});
  refused({{"Location", "http://cdn.example/x?Signature=s3cret"}});
  refused({{"Location", "ftp://cdn.example/x?Signature=s3cret"}});
  refused({{"Location", "https://cdn.example/a b?Signature=s3cret"}});
}

TEST_CASE("link: between plain http endpoints a plain redirect is fine") {
  ResolveRequest asked = request();
  asked.url = "http://127.0.0.1:1/me/repo/resolve/" + commit + "/m.bin";
  asked.hub_endpoint = "http://127.0.0.1:1";
  const auto link = read_resolve_answer(asked, Response{302, {{"Location", "http://127.0.0.1:2/x"}}, ""});
  REQUIRE(link);
  CHECK_FALSE(link->on_hub);
}

TEST_CASE("link: failures of the Hub speak for themselves") {
  const auto gated = read(403, {{"X-Error-Code", "GatedRepo"}, {"X-Request-Id", "r1"}});
  REQUIRE_FALSE(gated);
  CHECK(gated.error().kind == Kind::forbidden);
  CHECK(gated.error().request_id == "r1");
  CHECK(read(429, {{"RateLimit", "\"resolvers\";r=0;t=2"}}).error().retry_after == Millis(3000));
  CHECK(read(206, {}).error().kind == Kind::protocol);
  CHECK(read(304, {}).error().kind == Kind::protocol);
}

TEST_CASE("link: below a mirror's path, the Hub's own addresses get that path, once") {
  const std::string mirror = "https://mirror.example/hf";
  CHECK(at_endpoint(mirror, "https://mirror.example/api/x?cursor=1") == "https://mirror.example/hf/api/x?cursor=1");
  CHECK(at_endpoint(mirror, "https://mirror.example/hf/api/x") == "https://mirror.example/hf/api/x");
  CHECK(at_endpoint(mirror, "https://mirror.example/hfx/y") == "https://mirror.example/hf/hfx/y");
  CHECK(at_endpoint(mirror, "https://cdn.example/a?b") == "https://cdn.example/a?b");
  CHECK(at_endpoint("https://mirror.example", "https://mirror.example/a") == "https://mirror.example/a");
}
