// SPDX-License-Identifier: MIT
#include "s3/location.h"

#include <doctest/doctest.h>

#include "support/has.h"

using namespace hfpour;
using namespace hfpour::s3;
using hfpour::testing::has;

namespace {

Endpoint endpoint(std::string_view url) {
  const Result<Endpoint> parsed = parse_endpoint(url);
  REQUIRE(parsed.has_value());
  return *parsed;
}

}  // namespace

TEST_CASE("location: a destination tells no prefix from an empty one") {
  struct Row {
    std::string text, bucket;
    std::optional<std::string> prefix;
  };
  const Row rows[] = {
      {"s3://models", "models", std::nullopt},
      {"s3://models/", "models", ""},
      {"s3://models/a", "models", "a/"},
      {"s3://models/a/b c/", "models", "a/b c/"},
      {"s3://models/100%/a?b#c", "models", "100%/a?b#c/"},
      {"s3://my.dotted.bucket/ü", "my.dotted.bucket", "ü/"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Result<Destination> parsed = parse_destination(row.text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->bucket == row.bucket);
    CHECK(parsed->prefix == row.prefix);
  }
}

TEST_CASE("location: a wrong destination is refused with value and rule") {
  struct Row {
    std::string text, value, rule;
  };
  const Row rows[] = {
      {"models", "`models`", "must look like s3://bucket/prefix/"},
      {"S3://models", "`S3://models`", "must look like"},
      {"https://models/a", "`https://models/a`", "must look like"},
      {"s3://", "destination `s3://`", "names no bucket"},
      {"s3:///a", "destination `s3:///a`", "names no bucket"},
      {"s3://ab", "bucket `ab`", "3 to 63"},
      {"s3://Models/a", "bucket `Models`", "lower-case"},
      {"s3://models//a", "prefix `/a`", "must not begin with `/`"},
      {"s3://models/a/../b", "prefix `a/../b`", "`..` segments"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Result<Destination> parsed = parse_destination(row.text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().kind == Kind::usage);
    CHECK(has(parsed.error().sentence, row.value));
    CHECK(has(parsed.error().sentence, row.rule));
  }
}

TEST_CASE("location: secrets in an address are not repeated in the refusal") {
  const Result<Destination> destination = parse_destination("s3://AKIA:geheim@models/a");
  REQUIRE_FALSE(destination.has_value());
  CHECK_FALSE(has(destination.error().sentence, "geheim"));
  for (const std::string url : {"https://me:geheim@host", "me:geheim@host", "https://h/?k=geheim",
                                "https://me:x?geheim@host", "https://h/?a=b@geheim"}) {
    CAPTURE(url);
    const Result<Endpoint> parsed = parse_endpoint(url);
    REQUIRE_FALSE(parsed.has_value());
    CHECK_FALSE(has(parsed.error().sentence, "geheim"));
  }
}

TEST_CASE("location: bucket names follow AWS's rules") {
  for (const std::string& good : {std::string("abc"), std::string("a-b.c-1"), std::string("1.2.3"),
                                  std::string("1.2.3.4.5"), std::string(63, 'a')}) {
    CAPTURE(good);
    CHECK(check_bucket(good).has_value());
  }
  for (const std::string& bad :
       {std::string(), std::string("ab"), std::string(64, 'a'), std::string("Abc"), std::string("a_b"),
        std::string("a b"), std::string("a/b"), std::string("-abc"), std::string("abc-"), std::string(".abc"),
        std::string("abc."), std::string("a..b"), std::string("192.168.5.4"), std::string("999.1.1.1"),
        std::string("bücher"), std::string("abc\n"), std::string("ab\0c", 4)}) {
    CAPTURE(bad);
    const Result<void> checked = check_bucket(bad);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().kind == Kind::usage);
    CHECK_FALSE(has(checked.error().sentence, "\n"));
  }
}

TEST_CASE("location: prefixes end with a slash") {
  CHECK(*normalise_prefix("") == "");
  CHECK(*normalise_prefix("models") == "models/");
  CHECK(*normalise_prefix("models/") == "models/");
  CHECK(*normalise_prefix("a/...b/c..") == "a/...b/c../");
  CHECK(normalise_prefix(std::string(max_prefix_bytes - 1, 'a'))->size() == max_prefix_bytes);
  CHECK(normalise_prefix(std::string(max_prefix_bytes - 1, 'a') + "/").has_value());
}

TEST_CASE("location: a wrong prefix is refused") {
  for (const std::string& bad : {std::string("/"), std::string("/a"), std::string("a//"), std::string("a//b"),
                                 std::string("."), std::string("./"), std::string(".."), std::string("../a"),
                                 std::string("a/./b"), std::string("a/.."), std::string("a\tb"), std::string("a\x7f"),
                                 std::string("a\0b", 3), std::string("a\xff"), std::string(max_prefix_bytes, 'a')}) {
    CAPTURE(bad);
    const Result<std::string> normal = normalise_prefix(bad);
    REQUIRE_FALSE(normal.has_value());
    CHECK(normal.error().kind == Kind::usage);
  }
}

TEST_CASE("location: harmless repository paths become keys") {
  for (const std::string& good :
       {std::string("a"), std::string("a/b.bin"), std::string(".gitattributes"), std::string("..a/b../c...d"),
        std::string("a b+c=d%20"), std::string("a\\b"), std::string("é/日本"), std::string(max_key_bytes, 'a')}) {
    CAPTURE(good);
    CHECK(check_key(good).has_value());
  }
}

TEST_CASE("location: hostile repository paths are refused by name") {
  struct Row {
    std::string key, rule;
  };
  const Row rows[] = {
      {"", "empty"},
      {"/etc/passwd", "begin with `/`"},
      {"..", "`..`"},
      {"../a", "`..`"},
      {"a/../b", "`..`"},
      {"a/..", "`..`"},
      {".", "`.`"},
      {"a/./b", "`.`"},
      {"a//b", "empty segments"},
      {"a/", "empty segments"},
      {"a\nb", "control characters"},
      {std::string("a\0b", 3), "control characters"},
      {"a\x1f", "control characters"},
      {"a\x7f", "control characters"},
      {"a\xc0\xaf", "UTF-8"},
      {"a\xed\xa0\x80", "UTF-8"},
      {std::string(max_key_bytes + 1, 'a'), "1025 bytes"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.key);
    const Result<void> checked = check_key(row.key);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().kind == Kind::protocol);
    CHECK(has(checked.error().sentence, row.rule));
    CHECK_FALSE(has(checked.error().sentence, "\n"));
  }
  CHECK(has(check_key("a\nb").error().sentence, "`a\\x0ab`"));
}

TEST_CASE("location: regions are checked before they become part of a host") {
  for (const std::string good : {"us-east-1", "auto", "default", "Xx_1"}) {
    CHECK(check_region(good).has_value());
  }
  for (const std::string& bad : {std::string(), std::string("a.b"), std::string("evil.com/"), std::string("a b"),
                                 std::string("a\n"), std::string(65, 'a')}) {
    CAPTURE(bad);
    REQUIRE_FALSE(check_region(bad).has_value());
    CHECK(check_region(bad).error().kind == Kind::usage);
  }
}

TEST_CASE("location: endpoints are read and shown again") {
  struct Row {
    std::string text, url, host;
  };
  const Row rows[] = {
      {"https://objectstore.lon1.civo.com", "https://objectstore.lon1.civo.com", "objectstore.lon1.civo.com"},
      {"http://127.0.0.1:7480/", "http://127.0.0.1:7480", "127.0.0.1"},
      {"HTTPS://Store.Example:443", "https://store.example", "store.example"},
      {"http://h:80", "http://h", "h"},
      {"http://h:443", "http://h:443", "h"},
      {"http://[::1]:9000", "http://[::1]:9000", "[::1]"},
      {"http://my_store:65535", "http://my_store:65535", "my_store"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Endpoint parsed = endpoint(row.text);
    CHECK(parsed.url() == row.url);
    CHECK(parsed.host == row.host);
  }
}

TEST_CASE("location: a wrong endpoint is refused with its rule") {
  struct Row {
    std::string text, rule;
  };
  const Row rows[] = {
      {"", "https:// or http://"},
      {"store.example", "https:// or http://"},
      {"ftp://store.example", "https:// or http://"},
      {"https://", "no host"},
      {"https://:9000", "no host"},
      {"https://store.example/bucket", "must not have a path"},
      {"https://store.example//", "must not have a path"},
      {"https://me@store.example", "user or password"},
      {"https://store.example?x=1", "query"},
      {"https://store.example/#x", "query or a fragment"},
      {"https://store.example:0", "1 to 65535"},
      {"https://store.example:65536", "1 to 65535"},
      {"https://store.example:", "1 to 65535"},
      {"https://store.example:9x", "1 to 65535"},
      {"https://sto re", "letters, digits"},
      {"https://store\n", "letters, digits"},
      {"https://sto\\re", "letters, digits"},
      {"https://a..b", "empty label"},
      {"https://[::1", "IPv6"},
      {"https://[::1]x", "IPv6"},
      {"https://[", "IPv6"},
      {"https://[.0$", "IPv6"},
      {"https://[]", "IPv6"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Result<Endpoint> parsed = parse_endpoint(row.text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().kind == Kind::usage);
    CHECK(has(parsed.error().sentence, row.rule));
    CHECK_FALSE(has(parsed.error().sentence, "\n"));
  }
}

TEST_CASE("location: the region is guessed from the host") {
  struct Row {
    std::string url, region;
  };
  const Row rows[] = {
      {"https://s3.eu-west-2.amazonaws.com", "eu-west-2"},
      {"https://s3.amazonaws.com", "us-east-1"},
      {"https://s3.dualstack.eu-north-1.amazonaws.com", "eu-north-1"},
      {"https://s3.dualstack.amazonaws.com", "us-east-1"},
      {"https://s3-fips.us-west-1.amazonaws.com", "us-west-1"},
      {"https://s3-eu-west-1.amazonaws.com", "eu-west-1"},
      {"https://bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com", "us-east-2"},
      {"https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"},
      {"https://s3.us-west-004.backblazeb2.com", "us-west-004"},
      {"https://0123abcd.r2.cloudflarestorage.com", "auto"},
      {"https://objectstore.lon1.civo.com", "us-east-1"},
      {"https://s3.eu-west-2.amazonaws.com.evil.example", "us-east-1"},
      {"http://127.0.0.1:7480", "us-east-1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    CHECK(guess_region(endpoint(row.url)) == row.region);
  }
}

TEST_CASE("location: a redirect's host with the bucket in front names the region") {
  CHECK(region_in_host("my.bucket.s3.eu-central-1.amazonaws.com") == "eu-central-1");
  CHECK(region_in_host("bucket.s3-eu-west-1.amazonaws.com") == "eu-west-1");
  CHECK_FALSE(region_in_host("bucket.store.example"));
  CHECK_FALSE(region_in_host(""));
}

TEST_CASE("location: without an endpoint it is AWS's of the region") {
  CHECK(default_endpoint("eu-west-2").url() == "https://s3.eu-west-2.amazonaws.com");
  CHECK(default_endpoint("cn-north-1").url() == "https://s3.cn-north-1.amazonaws.com.cn");
  CHECK(default_endpoint("cn-north-1").is_aws());
  CHECK_FALSE(endpoint("https://amazonaws.com.example").is_aws());
}

TEST_CASE("location: hosts and paths follow the addressing style") {
  struct Row {
    std::string url, bucket, host, signing_host, object_path, bucket_path, object_url;
  };
  const Row rows[] = {
      {"http://store.example:7480", "models", "store.example", "store.example:7480", "/models/a b", "/models",
       "http://store.example:7480/x"},
      {"https://store.example", "models", "store.example", "store.example", "/models/a b", "/models",
       "https://store.example/x"},
      {"https://s3.eu-west-2.amazonaws.com", "models", "models.s3.eu-west-2.amazonaws.com",
       "models.s3.eu-west-2.amazonaws.com", "/a b", "/", "https://models.s3.eu-west-2.amazonaws.com/x"},
      {"https://s3.eu-west-2.amazonaws.com", "my.models", "s3.eu-west-2.amazonaws.com", "s3.eu-west-2.amazonaws.com",
       "/my.models/a b", "/my.models", "https://s3.eu-west-2.amazonaws.com/x"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    CAPTURE(row.bucket);
    const Location location(endpoint(row.url), row.bucket, "eu-west-2");
    CHECK(location.host() == row.host);
    CHECK(location.signing_host() == row.signing_host);
    CHECK(location.path("a b") == row.object_path);
    CHECK(location.path("") == row.bucket_path);
    CHECK(location.url("/x") == row.object_url);
    CHECK(location.uri("a b") == "s3://" + row.bucket + "/a b");
  }
}

TEST_CASE("location: the addressing style can be chosen") {
  const Location location(endpoint("http://store.example:80"), "models", "r", Addressing::virtual_host);
  CHECK(location.signing_host() == "models.store.example");
  CHECK(location.path("k") == "/k");
}

TEST_CASE("location: a learnt region moves the host on AWS only") {
  struct Row {
    std::string url, region, host;
  };
  const Row rows[] = {
      {"https://s3.us-east-1.amazonaws.com", "us-east-1", "models.s3.eu-west-2.amazonaws.com"},
      {"https://s3.us-east-1.amazonaws.com", "us-west-1", "models.s3.eu-west-2.amazonaws.com"},
      {"https://s3.amazonaws.com", "us-east-1", "models.s3.eu-west-2.amazonaws.com"},
      {"https://store.example", "us-east-1", "store.example"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const Location moved = Location(endpoint(row.url), "models", row.region).in_region("eu-west-2");
    CHECK(moved.region() == "eu-west-2");
    CHECK(moved.host() == row.host);
    CHECK(moved.bucket() == "models");
  }
}
