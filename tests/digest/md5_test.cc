// SPDX-License-Identifier: MIT
#include "digest/md5.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

std::string hex_of(Md5& md5) {
  return to_hex(ByteView(md5.finish()));
}
std::string right(std::string_view text) {
  return to_hex(ByteView(md5_of(text)));
}

}  // namespace

TEST_CASE("md5: the published vectors") {
  // RFC 1321, appendix A.5.
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"}};
  for (const auto& [text, expected] : vectors) {
    Md5 md5;
    md5.update(as_view(text));
    CHECK(hex_of(md5) == expected);
  }
}

TEST_CASE("md5: every length round a block, in two pieces cut anywhere, is what OpenSSL says; then it begins anew") {
  Md5 md5;
  for (Bytes length = 0; length <= 200; ++length) {
    const std::string text = pattern(length, 3);
    for (Bytes cut = 0; cut <= length; cut += 1 + length / 9) {
      md5.update(as_view(std::string_view(text).substr(0, cut)));
      md5.update(as_view(std::string_view(text).substr(cut)));
      CAPTURE(length);
      CAPTURE(cut);
      CHECK(hex_of(md5) == right(text));
    }
  }
}

TEST_CASE("md5: streams that go abreast, of any number and with pieces of any length, do not disturb each other") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    const std::size_t count = 1 + seed % Md5::width;
    std::vector<Md5> digests(count);
    std::vector<std::string> texts(count);
    for (unsigned round = 0; round < 12; ++round) {
      std::vector<std::string> pieces;
      const double longest = round % 3 == 0 ? 3'000 : 130;
      for (unsigned i = 0; i < count; ++i) {
        pieces.push_back(pattern(static_cast<Bytes>(longest * random.fraction()), round + 7 * i));
      }
      std::vector<Md5::Feed> feeds;
      for (std::size_t i = 0; i < count; ++i) feeds.push_back(Md5::Feed{&digests[i], as_view(pieces[i])});
      Md5::update_abreast(feeds);
      for (std::size_t i = 0; i < count; ++i) texts[i] += pieces[i];
    }
    for (std::size_t i = 0; i < count; ++i) CHECK(hex_of(digests[i]) == right(texts[i]));
  }
}
