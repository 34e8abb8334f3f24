// SPDX-License-Identifier: MIT
#include "cli/environment.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

using namespace hfpour;
using namespace hfpour::cli;

namespace {

/// A file that is gone when the test is over.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    const int fd = mkstemp(path_.data());
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd);
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  std::string name() const { return path_.substr(path_.rfind('/')); }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "hfpour-token-XXXXXX").string();
};

std::string token(const Environment::Values& values) {
  std::vector<std::string> warnings;
  const auto found = find_hub_token(Environment(values), warnings);
  REQUIRE(found.has_value());
  CHECK(warnings.empty());
  return found->value.reveal();
}

}  // namespace

TEST_CASE("token: a variable wins over a file, and blanks around it are dropped") {
  const TemporaryFile file("  hf_from_file\r\n");
  const std::string path = file.path();
  CHECK(token({}) == "");
  CHECK(token({{"HF_TOKEN_PATH", path}}) == "hf_from_file");
  CHECK(token({{"HF_TOKEN_PATH", path}, {"HF_TOKEN", " hf_env\n"}}) == "hf_env");
  CHECK(token({{"HF_TOKEN_PATH", path}, {"HUGGING_FACE_HUB_TOKEN", "hf_old"}}) == "hf_old");
  CHECK(token({{"HF_TOKEN", "hf_env"}, {"HUGGING_FACE_HUB_TOKEN", "hf_old"}}) == "hf_env");
  CHECK(token({{"HF_TOKEN_PATH", path}, {"HF_TOKEN", " \n"}}) == "hf_from_file");
}

TEST_CASE("token: files can be switched off, variables cannot") {
  const TemporaryFile file("hf_from_file");
  const std::string off = "HF_HUB_DISABLE_IMPLICIT_TOKEN";
  CHECK(token({{"HF_TOKEN_PATH", file.path()}, {off, "1"}}) == "");
  CHECK(token({{"HF_TOKEN_PATH", file.path()}, {off, "0"}}) == "hf_from_file");
  CHECK(token({{"HF_TOKEN", "hf_env"}, {off, "1"}}) == "hf_env");
}

TEST_CASE("token: home and variables in the path are filled in") {
  const TemporaryFile file("hf_from_file");
  const std::string name = file.name();
  for (const std::string& path : {"~" + name, "$HOME" + name, "${HOME}" + name}) {
    CHECK(token({{"HOME", "/tmp"}, {"HF_TOKEN_PATH", path}}) == "hf_from_file");
  }
  CHECK(token({{"HOME", "/nonexistent"}}) == "");
  CHECK(token({{"HF_HOME", "/nonexistent"}}) == "");
  CHECK(token({{"XDG_CACHE_HOME", "/nonexistent"}}) == "");
}

TEST_CASE("token: a directory, or a path that is broken, is a warning and no token") {
  for (const char* const path : {"/tmp", "/nonexistent/$NOPE/${X", "$", "${}"}) {
    std::vector<std::string> warnings;
    const auto found = find_hub_token(Environment(Environment::Values{{"HF_TOKEN_PATH", path}}), warnings);
    REQUIRE(found.has_value());
    CHECK(found->value.empty());
    CHECK_MESSAGE(warnings.size() == 1, path);
  }
}

TEST_CASE("token: a file with something else in it is refused without showing it") {
  const TemporaryFile file("[default]\nhf_token = do-not-print-me\n");
  std::vector<std::string> warnings;
  const auto found = find_hub_token(Environment(Environment::Values{{"HF_TOKEN_PATH", file.path()}}), warnings);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().kind == Kind::usage);
  CHECK(found.error().sentence.find(file.path()) != std::string::npos);
  CHECK(found.error().sentence.find("do-not-print-me") == std::string::npos);
}

TEST_CASE("environment: entries are read up to the null pointer") {
  const char* const entries[] = {"A=1", "B=", "broken", "C=x=y", nullptr};
  const Environment env = Environment::from(entries);
  CHECK(env.get("A") == "1");
  CHECK(env.find("B") == std::string_view());
  CHECK_FALSE(env.find("broken"));
  CHECK(env.get("C") == "x=y");
  CHECK(env.get("D").empty());
  CHECK_FALSE(Environment::from(nullptr).find("A"));
}

TEST_CASE("environment: booleans are the Hub's clients'") {
  for (const char* const yes : {"1", "on", "YES", "True", " true "}) CHECK(is_true(yes));
  for (const char* const no : {"", "0", "off", "no", "false", "y", "2"}) CHECK_FALSE(is_true(no));
}
