// SPDX-License-Identifier: MIT
#include "s3/object.h"

#include <doctest/doctest.h>

#include "s3/quirks.h"

using namespace hfpour;
using namespace hfpour::s3;

TEST_CASE("object: a name is a bucket and a literal key") {
  const Result<ObjectName> name = parse_object_name("s3://bucket/a/b c%20d?e#f");
  REQUIRE(name.has_value());
  CHECK(name->bucket == "bucket");
  CHECK(name->key == "a/b c%20d?e#f");
}

TEST_CASE("object: what names none is refused, without its secrets") {
  for (const std::string_view text :
       {"", "bucket/key", "s3://", "s3://bucket", "s3://bucket/", "s3://bucket/a/", "s3://bucket//a",
        "s3://bucket/../a", "s3://B/a", "https://host/bucket/a", "s3:/bucket/a", "s3://me:do-not-print-me@bucket/a"}) {
    CAPTURE(text);
    const Result<ObjectName> name = parse_object_name(text);
    REQUIRE_FALSE(name.has_value());
    CHECK(name.error().kind == Kind::usage);
    CHECK(name.error().sentence.find("do-not-print-me") == std::string::npos);
  }
}

TEST_CASE("quirks: only R2 wants equal parts") {
  const auto equal = [](std::string_view url) { return quirks_of(*parse_endpoint(url)).equal_parts; };
  CHECK(equal("https://0123abc.r2.cloudflarestorage.com"));
  CHECK(equal("https://0123abc.eu.r2.cloudflarestorage.com"));
  CHECK_FALSE(equal("https://s3.us-east-1.amazonaws.com"));
  CHECK_FALSE(equal("https://objectstore.lon1.civo.com"));
  CHECK_FALSE(equal("https://notr2.cloudflarestorage.com"));
}
