// SPDX-License-Identifier: MIT
#include "keys/places.h"

#include <doctest/doctest.h>

using namespace hfpour;
using keys::Variables;

namespace {

keys::Places good(const Variables& variables) {
  Result<keys::Places> places = keys::read_places(variables);
  REQUIRE_MESSAGE(places, (places ? "" : places.error().sentence));
  return *places;
}

}  // namespace

TEST_CASE("places: nothing said") {
  const keys::Places places = good({});
  CHECK(places.credentials_file.empty());
  CHECK(places.container_uri.empty());
  CHECK(places.token_file.empty());
  CHECK(places.metadata);
  CHECK(places.metadata_endpoint == "http://169.254.169.254");
  CHECK(places.sts_endpoint == "https://sts.amazonaws.com");
  CHECK_FALSE(places.profile_asked);
}

TEST_CASE("places: files below the home, or where they are said to be") {
  CHECK(good({{"HOME", "/home/me"}}).credentials_file == "/home/me/.aws/credentials");
  CHECK(good({{"HOME", "/home/me"}}).config_file == "/home/me/.aws/config");
  CHECK(good({{"HOME", "/home/me"}, {"AWS_CONFIG_FILE", "~/c"}}).config_file == "/home/me/c");
  CHECK(good({{"AWS_SHARED_CREDENTIALS_FILE", "/k"}}).credentials_file == "/k");
}

TEST_CASE("places: the address of STS follows the region") {
  const std::pair<Variables, std::string> rows[] = {
      {{{"AWS_REGION", "eu-central-1"}}, "https://sts.eu-central-1.amazonaws.com"},
      {{{"AWS_DEFAULT_REGION", "us-gov-west-1"}}, "https://sts.us-gov-west-1.amazonaws.com"},
      {{{"AWS_REGION", "cn-north-1"}}, "https://sts.cn-north-1.amazonaws.com.cn"},
      {{{"AWS_REGION", "x"}, {"AWS_ENDPOINT_URL", "https://rgw.example/"}}, "https://rgw.example"},
      {{{"AWS_ENDPOINT_URL_STS", "https://sts.example"}, {"AWS_ENDPOINT_URL", "https://rgw.example"}},
       "https://sts.example"}};
  for (const auto& [variables, address] : rows) CHECK(good(variables).sts_endpoint == address);
  CHECK_FALSE(keys::read_places({{"AWS_REGION", "evil.example/"}}));
}

TEST_CASE("places: ECS names a path at its agent, EKS a whole address") {
  CHECK(good({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"}}).container_uri ==
        "http://169.254.170.2/v2/credentials/x");
  CHECK(good({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"}}).container_uri ==
        "http://169.254.170.23/v1/credentials");
  CHECK(good({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a"}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://b/"}})
            .container_uri == "http://169.254.170.2/a");
}

TEST_CASE("places: in the clear a container asks this machine and AWS' own addresses only") {
  for (const char* const uri :
       {"http://127.0.0.1/", "http://127.9.9.9:80/x", "http://localhost:1/", "http://[::1]/", "http://169.254.170.2/x",
        "http://169.254.170.23/", "http://[fd00:ec2::23]/v1", "https://anywhere.example/x"}) {
    CHECK_MESSAGE(keys::check_container_uri(uri), uri);
  }
  for (const char* const uri :
       {"http://169.254.169.254/", "http://example.com/", "http://127.0.0.1.example.com/", "http://localhost.x/",
        "http://169.254.170.20/", "http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://[fd00:ec2::254]/", ""}) {
    CHECK_MESSAGE(!keys::check_container_uri(uri), uri);
  }
}

TEST_CASE("places: metadata") {
  CHECK_FALSE(good({{"AWS_EC2_METADATA_DISABLED", "True"}}).metadata);
  CHECK(good({{"AWS_EC2_METADATA_DISABLED", "false"}}).metadata);
  CHECK(good({{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}}).metadata_endpoint == "http://[fd00:ec2::254]");
  CHECK(good({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1/"}}).metadata_endpoint == "http://127.0.0.1:1");
}

TEST_CASE("places: values with control characters are refused, and not shown") {
  for (const char* const name : {"AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME",
                                 "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}) {
    const Result<keys::Places> places = keys::read_places({{name, "/geheim\r\nX: y"}});
    REQUIRE_FALSE(places);
    CHECK(places.error().kind == Kind::usage);
    CHECK(places.error().sentence.find(name) != std::string::npos);
    CHECK(places.error().sentence.find("geheim") == std::string::npos);
  }
}
