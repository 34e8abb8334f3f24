// SPDX-License-Identifier: MIT
#include "hub/token.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/text.h"

namespace hfpour::hub {
namespace {
constexpr std::size_t longest_token = 64 * 1024;
}  // namespace

const Secret& Token::current() {
  if (looks_new()) reread();
  return value_;
}

bool Token::reread() {
  if (file_.empty()) return false;
  std::ifstream file(file_, std::ios::binary);
  std::string text(longest_token, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  const std::string_view token = trim(text);
  const bool fits = std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (file.bad() || token.empty() || !fits || token == value_.reveal()) return false;
  value_ = Secret(std::string(token));
  return true;
}

bool Token::looks_new() {
  struct stat facts {};
  if (file_.empty() || stat(file_.c_str(), &facts) != 0) return false;
  const Mark mark(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
  const bool other = mark_ != mark;
  mark_ = mark;
  return other;
}

}  // namespace hfpour::hub
