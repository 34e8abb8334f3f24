// SPDX-License-Identifier: MIT
#include "http/url.h"

#include <doctest/doctest.h>

using namespace hfpour;
using namespace hfpour::http;

TEST_CASE("url: an address falls into its parts") {
  const auto url = parse_url("HTTPS://Hub.Example:8443/a%20b/c?x=%2f&y#part");
  REQUIRE(url);
  CHECK(*url == Url{"https", "hub.example", 8443, "/a%20b/c?x=%2f&y"});
  CHECK(*parse_url("http://127.0.0.1") == Url{"http", "127.0.0.1", 0, "/"});
  CHECK(*parse_url("http://[::1]:9/x") == Url{"http", "[::1]", 9, "/x"});
  CHECK(*parse_url("https://h?q=1") == Url{"https", "h", 0, "/?q=1"});
  CHECK(parse_url("https://h:443/")->port == 0);
  CHECK(parse_url("http://h:443/")->port == 443);
}

TEST_CASE("url: what cannot be asked is refused without showing its query") {
  for (const char* const text :
       {"", "huggingface.co", "ftp://h/", "file:///etc/passwd", "https://", "https:///x", "https://h:0/",
        "https://h:65536/", "https://h:x/", "https://h:/", "https://u:p@h/", "https://h/a b", "https://h/a\nb",
        "https://h\\x/", "https://[::1/", "https://h%41/", "https://[]/"}) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().kind == Kind::usage);
  }
  CHECK(parse_url("ftp://h/x?Signature=s3cret").error().sentence.find("s3cret") == std::string::npos);
}

TEST_CASE("url: the origin ignores case, default ports and paths") {
  CHECK(origin_of(*parse_url("HTTPS://HuggingFace.co:443/x?y")) == "https://huggingface.co");
  CHECK(origin_of(*parse_url("http://h:80/")) == "http://h");
  CHECK(origin_of(*parse_url("http://127.0.0.1:8080/x")) == "http://127.0.0.1:8080");
  CHECK(same_origin("https://h/", "https://H:443/x"));
  CHECK_FALSE(same_origin("https://h/", "http://h/"));
  CHECK_FALSE(same_origin("http://h:1/", "http://h:2/"));
  CHECK_FALSE(same_origin("https://h/", "https://h.evil.example/"));
  CHECK_FALSE(same_origin("nonsense", "nonsense"));
}

TEST_CASE("url: a reference is resolved and its bytes survive") {
  struct Case {
    const char* reference;
    const char* absolute;
  };
  const Case cases[] = {
      {"https://cdn.example/x%2fy/..;a?b=%7E~*'()&e=%3d#f", "https://cdn.example/x%2fy/..;a?b=%7E~*'()&e=%3d"},
      {"HTTP://CDN.example/X", "HTTP://CDN.example/X"},
      {"//cdn.example:81/x?y", "https://cdn.example:81/x?y"},
      {"/api/resolve-cache/a%20b?a%20b=&etag=%22x%22",
       "https://h.example:8/api/resolve-cache/a%20b?a%20b=&etag=%22x%22"},
      {"/a/./b/../c", "https://h.example:8/a/./b/../c"},
      {"other?z=1", "https://h.example:8/p/q/other?z=1"},
      {"../up/./x?k=../y", "https://h.example:8/p/up/x?k=../y"},
      {"../../../x", "https://h.example:8/x"},
      {".", "https://h.example:8/p/q/"},
      {"?only=query", "https://h.example:8/p/q/file?only=query"},
      {"", "https://h.example:8/p/q/file?old=1"},
      {"a/b:c", "https://h.example:8/p/q/a/b:c"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.reference);
    const auto url = resolve_reference("https://h.example:8/p/q/file?old=1", one.reference);
    REQUIRE(url);
    CHECK(*url == one.absolute);
  }
}

TEST_CASE("url: a redirect to another scheme is a fault of the server") {
  for (const char* const reference :
       {"ftp://h/x", "file:///etc/passwd", "javascript:x", "//", "https://u@h/", "/a b", "https:x"}) {
    CAPTURE(reference);
    const auto url = resolve_reference("https://h/", reference);
    REQUIRE_FALSE(url);
    CHECK(url.error().kind == Kind::protocol);
  }
  CHECK(resolve_reference("nonsense", "/x").error().kind == Kind::protocol);
}
