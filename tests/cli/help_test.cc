// SPDX-License-Identifier: MIT
#include "cli/help.h"

#include <doctest/doctest.h>

#include <string>

#include "base/text.h"
#include "cli/options_table.h"

using namespace hfpour;
using namespace hfpour::cli;

TEST_CASE("help: fits 100 columns and one screen") {
  const std::string text = help_text();
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < text.size(); ++lines) {
    const std::size_t end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);
    CHECK_MESSAGE(end - begin <= 100, text.substr(begin, end - begin));
    begin = end + 1;
  }
  CHECK(lines <= 44);
}

TEST_CASE("help: names every flag and the defaults") {
  const std::string text = help_text();
  for (const Setting& setting : settings()) {
    CHECK_MESSAGE(text.find("--" + std::string(setting.flag)) != std::string::npos, std::string(setting.flag));
  }
  for (const std::string shown : {"[8Mi]", "256Mi", "[https://huggingface.co]", "(models/)", "[md5]", "[info]"}) {
    CHECK_MESSAGE(text.find(shown) != std::string::npos, shown);
  }
}

TEST_CASE("help: examples come before flags, and secrets are no flags") {
  const std::string text = help_text();
  CHECK(text.find("hf://") < text.find("--endpoint-url"));
  CHECK(text.find("{") == std::string::npos);
  for (const std::string secret : {"--token", "--hf-token", "--secret", "--access-key"}) {
    CHECK(text.find(secret) == std::string::npos);
  }
}
