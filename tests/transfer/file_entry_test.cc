// SPDX-License-Identifier: MIT
#include "transfer/file_entry.h"

#include <doctest/doctest.h>

#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

TEST_CASE("content hash: what was written is read again") {
  for (const HashKind kind : {HashKind::sha256, HashKind::git_blob}) {
    const ContentHash hash = hash_of(kind, "content");
    const auto read = parse_hash(to_string(kind), to_hex(hash));
    REQUIRE(read);
    CHECK(*read == hash);
    CHECK(to_hex(hash).size() == hash.size() * 2);
  }
}

TEST_CASE("content hash: another kind, length or alphabet is none") {
  const std::string sha256 = to_hex(hash_of(HashKind::sha256, ""));
  const std::string sha1 = to_hex(hash_of(HashKind::git_blob, ""));
  CHECK_FALSE(parse_hash("sha256", sha1).has_value());
  CHECK_FALSE(parse_hash("git-sha1", sha256).has_value());
  CHECK_FALSE(parse_hash("md5", sha256).has_value());
  CHECK_FALSE(parse_hash("SHA256", sha256).has_value());
  CHECK_FALSE(parse_hash("sha256", "").has_value());
  CHECK_FALSE(parse_hash("sha256", "zz" + sha256.substr(2)).has_value());
}

TEST_CASE("content hash: the same bytes under another kind are another hash") {
  const ContentHash a = hash_of(HashKind::git_blob, "x");
  ContentHash b = a;
  b.kind = HashKind::sha256;
  CHECK_FALSE(a == b);
}
