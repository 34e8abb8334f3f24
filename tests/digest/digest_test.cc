// SPDX-License-Identifier: MIT
#include "digest/digest.h"

#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "base/random.h"
#include "base/text.h"
#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

TEST_CASE("digest: the published vectors") {
  const auto hex = [](DigestKind kind, std::string_view text) { return to_hex(ByteView(digest_of(kind, text))); };
  // FIPS 180-4 examples.
  CHECK(hex(DigestKind::sha256, "") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(DigestKind::sha256, "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(DigestKind::sha1, "") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex(DigestKind::sha1, "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST_CASE("digest: XXH3-128 in canonical order") {
  // `printf '' | xxhsum -H2`, and of "abc" (xxhsum 0.8.1).
  CHECK(to_hex(ByteView(xxh3_of(""))) == "99aa06d3014798d86001c324468d497f");
  CHECK(to_hex(ByteView(xxh3_of("abc"))) == "06b05ab6733a618578af5f94892f3950");
}

TEST_CASE("digest: what `git hash-object` says of a file") {
  CHECK(to_hex(hash_of(HashKind::git_blob, "")) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  CHECK(to_hex(hash_of(HashKind::git_blob, "test content\n")) == "d670460b4b4aece5915caf5c68d12f560a9fe3e4");
}

TEST_CASE("digest: pieces make the same digest as the whole, and it begins anew afterwards") {
  const std::string data = pattern(1'000);
  for (const DigestKind kind : {DigestKind::sha256, DigestKind::sha1}) {
    Digest digest(kind);
    Xxh3 xxh3;
    for (unsigned round = 0; round < 2; ++round) {
      for (std::size_t at = 0; at < data.size(); at += 7 + round) {
        digest.update(as_view(std::string_view(data).substr(at, 7 + round)));
        xxh3.update(as_view(std::string_view(data).substr(at, 7 + round)));
      }
      CHECK(digest.finish() == digest_of(kind, data));
      CHECK(xxh3.finish() == xxh3_of(data));
    }
  }
}

TEST_CASE("digest: one that was moved goes on") {
  Digest first(DigestKind::sha256);
  first.update(as_view("ab"));
  Digest second = std::move(first);
  second.update(as_view("c"));
  CHECK(second.finish() == digest_of(DigestKind::sha256, "abc"));
}

TEST_CASE("digest: one that was saved at any byte goes on in another object") {
  const std::string data = pattern(400);
  for (const DigestKind kind : {DigestKind::sha256, DigestKind::sha1}) {
    for (std::size_t cut = 0; cut <= data.size(); ++cut) {
      Digest first(kind);
      first.update(as_view(std::string_view(data).substr(0, cut)));
      const Midstate saved = first.save();
      CHECK(saved.size() <= 103);
      std::optional<Digest> second = Digest::restore(kind, saved);
      REQUIRE(second);
      CHECK(second->length() == cut);
      second->update(as_view(std::string_view(data).substr(cut)));
      CHECK(second->finish() == digest_of(kind, data));
    }
  }
}

TEST_CASE("digest: SHA-256 pair where the processor has the instructions, and SHA-1 nowhere") {
  std::ifstream file("/proc/cpuinfo");
  const std::set<std::string> words{std::istream_iterator<std::string>(file), std::istream_iterator<std::string>()};
  CHECK(Digest(DigestKind::sha256).pairs() == (words.contains("sha_ni") && words.contains("avx")));
  CHECK_FALSE(Digest(DigestKind::sha1).pairs());
}

TEST_CASE("digest: two that pair, with pieces of any lengths, do not disturb each other") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    std::array<Digest, 2> digests = {Digest(DigestKind::sha256), Digest(DigestKind::sha256)};
    std::array<std::string, 2> texts;
    for (unsigned round = 0; round < 12; ++round) {
      const double longest = round % 3 == 0 ? 3'000 : 130;
      std::array<std::string, 2> pieces;
      for (unsigned i = 0; i < 2; ++i) {
        pieces[i] = pattern(static_cast<Bytes>(longest * random.fraction()), round + 7 * i);
        texts[i] += pieces[i];
      }
      if (digests[0].pairs()) {
        Digest::update_pair(digests[0], as_view(pieces[0]), digests[1], as_view(pieces[1]));
      } else {
        for (unsigned i = 0; i < 2; ++i) digests[i].update(as_view(pieces[i]));
      }
    }
    for (unsigned i = 0; i < 2; ++i) {
      CHECK(digests[i].length() == texts[i].size());
      CHECK(digests[i].finish() == digest_of(DigestKind::sha256, texts[i]));
    }
  }
}

TEST_CASE("digest: bytes that are no saved digest are refused") {
  Digest digest(DigestKind::sha256);
  digest.update(as_view(pattern(100)));
  const Midstate good = digest.save();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(Digest::restore(DigestKind::sha256, ByteView(good).first(size)));
  }
  Midstate longer = good;
  longer.push_back(std::byte{0});
  CHECK_FALSE(Digest::restore(DigestKind::sha256, longer));
  Midstate endless = good;
  endless[32] = std::byte{0xff};  // 2^61 bytes and more: no SHA-2 of 64-bit lengths
  CHECK_FALSE(Digest::restore(DigestKind::sha256, endless));
  CHECK_FALSE(Digest::restore(DigestKind::sha1, good));
}
