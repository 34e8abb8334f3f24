// SPDX-License-Identifier: MIT
#include "hub/tree.h"

#include <doctest/doctest.h>

#include <string>

using namespace hfpour;
using namespace hfpour::hub;

namespace {

const std::string blob(40, 'a');
const std::string content(64, 'b');

std::string plain(const std::string& path) {
  return R"({"type":"file","oid":")" + blob + R"(","size":1234,"path":")" + path + "\"}";
}

std::string with_lfs(const std::string& oid) {
  return R"([{"type":"file","oid":")" + blob + R"(","size":9,"path":"m.bin","lfs":{"oid":")" + oid +
         R"(","size":4976698672,"pointerSize":135},"xetHash":")" + std::string(64, '*') + "\"}]";
}

}  // namespace

TEST_CASE("tree: git files and LFS files carry the hash of their content") {
  const auto git = parse_tree_page("[" + plain("a/b \\u00e4.json") + "]");
  REQUIRE(git);
  REQUIRE(git->size() == 1);
  CHECK((*git)[0].path == "a/b \xc3\xa4.json");
  CHECK((*git)[0].size == 1234);
  CHECK((*git)[0].hash.kind == HashKind::git_blob);
  CHECK(to_hex((*git)[0].hash) == blob);
  const auto lfs = parse_tree_page(with_lfs(content));
  REQUIRE(lfs);
  CHECK((*lfs)[0].size == 4976698672);
  CHECK((*lfs)[0].hash.kind == HashKind::sha256);
  CHECK(to_hex((*lfs)[0].hash) == content);
}

TEST_CASE("tree: only files are listed, in the order of the page") {
  const auto page = parse_tree_page(R"([{"type":"directory","oid":"x","size":0,"path":"a"},)" + plain("b") +
                                    R"(,{"type":"unknown"},)" + plain("a") + "]");
  REQUIRE(page);
  REQUIRE(page->size() == 2);
  CHECK((*page)[0].path == "b");
  CHECK((*page)[1].path == "a");
  CHECK(parse_tree_page("[]")->empty());
}

TEST_CASE("tree: a null lfs means a git file") {
  const auto page = parse_tree_page(R"([{"type":"file","oid":")" + blob + R"(","size":0,"path":"e","lfs":null}])");
  REQUIRE(page);
  CHECK((*page)[0].hash.kind == HashKind::git_blob);
}

TEST_CASE("tree: blotted-out hashes mean no access") {
  for (const std::string& oid : {std::string(64, '*'), std::string(63, 'b'), std::string("zz"), std::string()}) {
    CAPTURE(oid);
    const auto page = parse_tree_page(with_lfs(oid));
    REQUIRE_FALSE(page);
    CHECK(page.error().kind == Kind::forbidden);
    CHECK(page.error().sentence.find("'m.bin'") != std::string::npos);
  }
  const auto git = parse_tree_page(R"([{"type":"file","oid":"****","size":1,"path":"c"}])");
  CHECK(git.error().kind == Kind::forbidden);
}

TEST_CASE("tree: anything malformed is a fault of the server") {
  const std::string ok = R"("oid":")" + blob + "\"";
  const std::string cases[] = {
      "",
      "{",
      "{}",
      "null",
      "[1]",
      "[{}]",
      R"([{"type":1}])",
      "[" + plain("a") + "," + plain("a") + "]",
      "[" + plain("") + "]",
      "[" + plain("a") + "",
      "[" + plain("a\xff") + "]",
      R"([{"type":"file","size":1,"path":"a"}])",
      R"([{"type":"file","oid":7,"size":1,"path":"a"}])",
      R"([{"type":"file",)" + ok + R"(,"path":"a"}])",
      R"([{"type":"file",)" + ok + R"(,"size":-1,"path":"a"}])",
      R"([{"type":"file",)" + ok + R"(,"size":1.5,"path":"a"}])",
      R"([{"type":"file",)" + ok + R"(,"size":"1","path":"a"}])",
      R"([{"type":"file",)" + ok + R"(,"size":18446744073709551615,"path":"a"}])",
      R"([{"type":"file",)" + ok + R"(,"size":1}])",
      R"([{"type":"file",)" + ok + R"(,"size":1,"path":["a"]}])",
      R"([{"type":"file",)" + ok + R"(,"size":1,"path":"a","path":"b"}])",
      R"([{"type":"file",)" + ok + R"(,"size":1,"path":"a","lfs":"x"}])",
      R"([{"type":"file",)" + ok + R"(,"size":1,"path":"a","lfs":{"size":1}}])",
      R"([{"type":"file",)" + ok + R"(,"size":1,"path":"a","lfs":{"oid":"x"}}])",
  };
  for (const std::string& text : cases) {
    CAPTURE(text);
    const auto page = parse_tree_page(text);
    REQUIRE_FALSE(page);
    CHECK(page.error().kind == Kind::protocol);
  }
}

TEST_CASE("tree: what a hostile Hub could send takes no more memory than a page") {
  const auto refused = [](const std::string& page) {
    const auto parsed = parse_tree_page(page);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == Kind::protocol);
  };
  const Bytes size = 4 * MiB;
  refused(std::string(size, '['));
  refused("[" + std::string(size, '{'));
  std::string objects = "[";
  while (objects.size() < size) objects += R"({"type":"directory"},)";
  objects.back() = ']';
  refused(objects);
  std::string nested = R"([{"type":"file","lfs":)";
  for (unsigned i = 0; i < 1'000; ++i) nested += R"({"lfs":)";
  refused(nested);
}

TEST_CASE("tree: fields nobody asked for are skipped, whatever they hold") {
  const auto page = parse_tree_page("[" + plain("a").substr(0, plain("a").size() - 1) +
                                    R"(,"lastCommit":{"id":"x","id":"y","path":[[[[1]]]]},"more":["[{\"",{}]}])");
  REQUIRE(page);
  CHECK((*page)[0].path == "a");
}
