// SPDX-License-Identifier: MIT
#include "hub/info.h"

#include <doctest/doctest.h>

using namespace hfpour;
using namespace hfpour::hub;

namespace {

const std::string sha(40, 'a');

std::string info_with(const std::string& fields) {
  return R"({"_id":"6","id":"me/repo","sha":")" + sha + "\"" + fields + "}";
}

}  // namespace

TEST_CASE("info: the fields that matter are read") {
  const auto info =
      parse_info(info_with(R"(,"private":true,"gated":"manual","disabled":true,"siblings":[{"rfilename":"a"}])"));
  REQUIRE(info);
  CHECK(*info == RepoInfo{"me/repo", sha, true, Gated::manual, true});
  CHECK(*parse_info(info_with("")) == RepoInfo{"me/repo", sha, false, Gated::no, false});
}

TEST_CASE("info: gated is false, a word or missing") {
  CHECK(parse_info(info_with(R"(,"gated":false)"))->gated == Gated::no);
  CHECK(parse_info(info_with(R"(,"gated":null)"))->gated == Gated::no);
  CHECK(parse_info(info_with(R"(,"gated":"auto")"))->gated == Gated::automatic);
  CHECK(parse_info(info_with(R"(,"gated":"newer-word")"))->gated == Gated::manual);
  CHECK(parse_info(info_with(R"(,"gated":true)"))->gated == Gated::manual);
}

TEST_CASE("info: what cannot be trusted is refused") {
  const std::string cases[] = {
      "",
      "[]",
      "<html>",
      "{}",
      R"({"id":"me/repo"})",
      R"({"id":"me/repo","sha":null})",
      R"({"id":"me/repo","sha":"main"})",
      R"({"sha":")" + sha + "\"}",
      R"({"id":7,"sha":")" + sha + "\"}",
      R"({"id":"../../x","sha":")" + sha + "\"}",
      info_with(R"(,"private":"yes")"),
      info_with(R"(,"disabled":1)"),
      info_with(R"(,"gated":3)"),
  };
  for (const std::string& text : cases) {
    CAPTURE(text);
    const auto info = parse_info(text);
    REQUIRE_FALSE(info);
    CHECK(info.error().kind == Kind::protocol);
  }
}
