// SPDX-License-Identifier: MIT
// Shell patterns, one a line; the last line is the path. That matching is quick, the timeout of the run checks.
#include <algorithm>

#include "base/text.h"
#include "harness.h"
#include "hub/selection.h"

namespace hfpour::fuzz {
namespace {

using hub::Selection;

bool matches(const std::string& pattern, const std::string& path) {
  return Selection({{pattern}}, {}).keeps(path);
}

std::string with_slashes(std::string text) {
  std::ranges::replace(text, '\\', '/');
  return text;
}

/// What `pattern` means when it has no sets: each prefix of it against each prefix of the path.
bool plainly_matches(const std::string& pattern, const std::string& path) {
  std::vector<char> row(path.size() + 1, 0);
  row[0] = 1;
  for (const char c : pattern) {
    std::vector<char> next(path.size() + 1, 0);
    for (std::size_t i = 0; i <= path.size(); ++i) {
      const bool taken = i > 0 && row[i - 1] != 0 && (c == '?' || c == path[i - 1]);
      next[i] = c == '*' ? row[i] != 0 || (i > 0 && next[i - 1] != 0) : taken;
    }
    row = std::move(next);
  }
  return row.back() != 0;
}

/// `path` with each special character in a set of its own.
std::string escaped(const std::string& path) {
  std::string pattern;
  for (const char c : path) pattern += c == '*' || c == '?' || c == '[' ? std::string{'[', c, ']'} : std::string{c};
  return pattern;
}

void take_one(const std::string& pattern, const std::string& path) {
  const bool hit = matches(pattern, path);
  require(hit != Selection(std::nullopt, {pattern}).keeps(path), "what is allowed by a pattern is ignored by it");
  if (hit) require(matches("*" + pattern, path), "a leading * takes nothing away");
  const bool plain = pattern.find('[') == std::string::npos && !pattern.ends_with('/') && !pattern.ends_with('\\');
  const bool ascii = std::ranges::all_of(pattern + path, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (plain && ascii)
    require(hit == plainly_matches(with_slashes(pattern), with_slashes(path)), "a pattern means what it says");
}

}  // namespace

void take(std::string_view input) {
  std::vector<std::string> patterns = lines_of(input);
  if (patterns.empty()) return;
  const std::string path = patterns.back();
  patterns.pop_back();
  for (const std::string& pattern : patterns) take_one(pattern, path);
  if (!path.ends_with('/') && !path.ends_with('\\'))
    require(matches(escaped(path), path), "an escaped path matches itself");
  const std::string line = Selection(patterns, {path}).describe();
  require(line == Selection(std::vector<std::string>(patterns.rbegin(), patterns.rend()), {path, path}).describe(),
          "the order of patterns says nothing");
  require(is_utf8(line), "a selection can stand in the manifest");
}

}  // namespace hfpour::fuzz
