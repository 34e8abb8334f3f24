// SPDX-License-Identifier: MIT
#include "hub/selection.h"

#include <doctest/doctest.h>

using namespace hfpour;
using namespace hfpour::hub;

namespace {

using Texts = std::vector<std::string>;

bool allowed(const char* pattern, const char* path) {
  return Selection(Texts{pattern}, {}).keeps(path);
}

struct PatternCase {
  const char* pattern;
  const char* path;
  bool kept;
};

void check_all(const std::vector<PatternCase>& cases) {
  for (const PatternCase& one : cases) {
    CAPTURE(one.pattern);
    CAPTURE(one.path);
    CHECK(allowed(one.pattern, one.path) == one.kept);
    CHECK(Selection(std::nullopt, Texts{one.pattern}).keeps(one.path) != one.kept);
  }
}

}  // namespace

TEST_CASE("selection: the table of the official client holds") {
  check_all({
      {"*.bin", "x.bin", true},
      {"*.bin", "a/b/c.bin", true},
      {"*.bin", "A/X.BIN", false},
      {"a/", "a/x.bin", true},
      {"a/", "a/b/c.bin", true},
      {"a/", "a", false},
      {"a/*", "a/b/c.bin", true},
      {"a/*", "a", false},
      {"a", "a", true},
      {"a", "a/x.bin", false},
      {"/a/*", "a/x.bin", false},
      {"./a/*", "a/x.bin", false},
      {"**/*.bin", "a/x.bin", true},
      {"**/*.bin", "x.bin", false},
      {"d[1].txt", "d1.txt", true},
      {"d[1].txt", "d[1].txt", false},
      {"d[[]1].txt", "d[1].txt", true},
      {"w-[!a-z]*", "w-01.safetensors", true},
      {"w-[!a-z]*", "w-a1.safetensors", false},
      {"?.txt", "\xc3\xa9.txt", true},
      {"?.txt", "\xc3\xa9\xc3\xa9.txt", false},
      {"a\\*", "a/x.bin", true},
      {"*{md,bin}", "README.md", false},
      {"a/*", "a\\x.bin", true},
      {"*", ".gitattributes", true},
      {"a*b", "a\nb", true},
      {"", "", true},
      {"", "a", false},
  });
}

TEST_CASE("selection: sets follow fnmatch in their corners") {
  check_all({
      {"[]]", "]", true},
      {"[]a]", "a", true},
      {"[!]a]", "]", false},
      {"[!]a]", "b", true},
      {"[", "[", true},
      {"a[b", "a[b", true},
      {"[!]", "[!]", true},
      {"[]", "[]", true},
      {"[z-a]", "b", false},
      {"[z-a]", "z", false},
      {"[!z-a]", "q", true},
      {"[a-]", "-", true},
      {"[a-]", "a", true},
      {"[-a]", "-", true},
      {"[a-c-e]", "d", false},
      {"[a-c-e]", "-", true},
      {"[a-c-e]", "e", true},
      {"[--0]", ".", true},
      {"[^a]", "^", true},
      {"[^a]", "b", false},
      {"[!^a]", "b", true},
      {"[a-cx-z]", "y", true},
      {"[a-cx-z]", "d", false},
      {"[b-a!c]", "c", false},
      {"[b-a!c]", "x", true},
      {"[&&~|]", "&", true},
      {"[\xc3\xa0-\xc3\xbc]", "\xc3\xa9", true},
      {"[!\xc3\xa9]", "\xc3\xa8", true},
      {"[*?]", "*", true},
      {"[*?]", "x", false},
  });
}

TEST_CASE("selection: allow and ignore lists combine") {
  CHECK(Selection().keeps("anything/at.all"));
  CHECK_FALSE(Selection(Texts{}, {}).keeps("x"));
  CHECK_FALSE(Selection(Texts{""}, {}).keeps("x"));
  const Selection both(Texts{"*.json", "*.bin"}, Texts{"old/", "*.tmp.json"});
  CHECK(both.keeps("config.json"));
  CHECK(both.keeps("sub/m.bin"));
  CHECK_FALSE(both.keeps("README.md"));
  CHECK_FALSE(both.keeps("old/config.json"));
  CHECK_FALSE(both.keeps("a.tmp.json"));
}

TEST_CASE("selection: one file by its exact path, in which nothing is a pattern") {
  const Selection one = Selection::exactly("a/[x]*.json");
  CHECK(one.keeps("a/[x]*.json"));
  for (const char* const other : {"a\\[x]*.json", "a/x.json", "a/[x]*.jsonl", "A/[x]*.json", ""})
    CHECK_FALSE(one.keeps(other));
  CHECK(Selection::exactly("a\\b").keeps("a\\b"));
  CHECK_FALSE(Selection::exactly("a\\b").keeps("a/b"));
  CHECK(one.describe() == "the file \"a/[x]*.json\"");
  CHECK(Selection::exactly("a\\b").describe() != Selection::exactly("a/b").describe());
}

TEST_CASE("selection: many stars on a long path stay cheap") {
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "*a";
  const Selection selection(Texts{pattern + "*b"}, {});
  CHECK_FALSE(selection.keeps(std::string(20000, 'a')));
  CHECK(selection.keeps(std::string(20000, 'a') + "b"));
}

TEST_CASE("selection: its one line does not depend on the order of patterns") {
  CHECK(Selection().describe() == "everything");
  CHECK(Selection(Texts{"b", "a/", "b"}, Texts{"x\\y"}).describe() == "only [\"a/*\", \"b\"] except [\"x/y\"]");
  CHECK(Selection(Texts{"b", "a/*"}, Texts{"x/y"}).describe() ==
        Selection(Texts{"a/", "b", "b"}, Texts{"x\\y"}).describe());
  CHECK(Selection(Texts{}, {}).describe() == "only []");
  CHECK(Selection(std::nullopt, Texts{"a\", \"b"}).describe() != Selection(std::nullopt, Texts{"a", "b"}).describe());
}

TEST_CASE("selection: the vllm preset leaves out code, papers and foreign weights") {
  const auto preset = Selection::preset("vllm");
  REQUIRE(preset);
  for (const char* const kept :
       {"config.json", "model-00001-of-00002.safetensors", "pytorch_model.bin", "model.gguf", "consolidated.pt",
        "tokenizer.model", "sub/README.md", "LICENSE.txt", "adapter/x.json"}) {
    CAPTURE(kept);
    CHECK(preset->keeps(kept));
  }
  for (const char* const left_out :
       {"modeling.py", "sub/modeling.py", "README.md", "LICENSE", "tf_model.h5", "flax_model.msgpack", "rust_model.ot",
        "model.onnx", "onnx/model.onnx_data", "original/consolidated.00.pth"}) {
    CAPTURE(left_out);
    CHECK_FALSE(preset->keeps(left_out));
  }
  CHECK(Selection::preset("tgi").error().kind == Kind::usage);
}
