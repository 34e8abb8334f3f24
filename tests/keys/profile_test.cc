// SPDX-License-Identifier: MIT
#include "keys/profile.h"

#include <doctest/doctest.h>

using namespace hfpour;

namespace {

std::string value(std::string_view text, std::string_view name, bool config, std::string_view field) {
  const auto profile = keys::find_profile(text, name, config);
  return profile ? keys::setting(*profile, field) : "no such profile";
}

constexpr std::string_view credentials =
    "# comment\r\n[default]\r\naws_access_key_id = A\r\n; "
    "another\naws_secret_access_key=s=/+=\n\n[pour]\nAWS_Access_Key_Id=B\n"
    "s3 =\n    aws_access_key_id = nested\n[default]\naws_access_key_id=C\n";

}  // namespace

TEST_CASE("profile: sections of the credentials file") {
  CHECK(value(credentials, "default", false, "aws_access_key_id") == "C");
  CHECK(value(credentials, "default", false, "aws_secret_access_key") == "s=/+=");
  CHECK(value(credentials, "pour", false, "aws_access_key_id") == "B");
  CHECK(value(credentials, "other", false, "aws_access_key_id") == "no such profile");
}

TEST_CASE("profile: the config file calls them otherwise") {
  constexpr std::string_view config =
      "[profile pour]\nregion = a\n[pour]\nregion = b\n[default]\nregion=c\n[profile \"two words\"]\nregion=d\n";
  CHECK(value(config, "pour", true, "region") == "a");
  CHECK(value(config, "default", true, "region") == "c");
  CHECK(value(config, "two words", true, "region") == "d");
}

TEST_CASE("profile: what is no such file gives nothing") {
  for (const std::string_view text :
       {"", "\n\n", "[", "[]", "[default", "=", "]=[", "aws_access_key_id=A", "\0\xff[default]x"}) {
    const auto profile = keys::find_profile(text, "default", false);
    CHECK((!profile || profile->empty()));
  }
}
