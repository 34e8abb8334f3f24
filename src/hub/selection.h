// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hfpour::hub {

/// One shell pattern, taken apart once and matched often.
///
/// Means what Python's `fnmatch.fnmatchcase` means: the whole text is matched, upper and lower case
/// differ, `*` and `?` take any code point, `/` and newline too. Matching costs at most the product
/// of both lengths, whatever the pattern. Immutable; any thread.
/// Source: contract hub section 7; CPython 3.11 `fnmatch.translate` for sets with odd ranges.
class Pattern {
 public:
  explicit Pattern(std::string_view text);
  bool matches(const std::vector<char32_t>& text) const;

 private:
  struct Span {
    char32_t first;
    char32_t last;
  };
  enum class What : unsigned char { one, any, many, set };
  struct Piece {
    What what = What::one;
    char32_t point = 0;
    bool negated = false;
    std::vector<Span> spans;
  };
  static Piece make_set(const std::vector<char32_t>& body);
  static bool takes(const Piece& piece, char32_t point);

  std::vector<Piece> pieces_;
};

/// Which files of a repository are wanted, by the rules of the Hub's own client.
///
/// A path is kept when it matches at least one allow pattern (all do, if none were given; none
/// does, if the list is empty) and no ignore pattern. In patterns and paths `\` counts as `/`; a
/// pattern that ends in `/` means everything below. Immutable; any thread. Source: contract hub
/// section 7.
class Selection {
 public:
  /// Keeps everything.
  Selection() = default;
  Selection(std::optional<std::vector<std::string>> allow, std::vector<std::string> ignore);

  /// One file, by its exact path: no pattern, and `\` is not `/` here, since git allows both in names.
  static Selection exactly(std::string path);

  /// A selection by name. `vllm`: what the predecessor of this tool fetched for vLLM, see the .cc.
  /// Errors: `usage` for an unknown name.
  static Result<Selection> preset(std::string_view name);

  bool keeps(std::string_view path) const;

  /// One line that is equal for two selections exactly when their sets of patterns are equal:
  /// `everything`, `only ["*.json"] except ["*.bin"]`, `the file "config.json"`. Stands in the manifest.
  std::string describe() const;

 private:
  std::optional<std::string> only_;
  bool allow_all_ = true;
  std::vector<std::string> allow_texts_;
  std::vector<std::string> ignore_texts_;
  std::vector<Pattern> allow_;
  std::vector<Pattern> ignore_;
};

}  // namespace hfpour::hub
