// SPDX-License-Identifier: MIT
#include "pipe/tar.h"

#include <doctest/doctest.h>

#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

constexpr std::size_t block = 512;

std::string head_of(const std::string& path, Bytes size) {
  FileEntry file;
  file.path = path;
  file.size = size;
  return Tar().head(file);
}

/// A field up to its first zero.
std::string field(const std::string& header, std::size_t at, std::size_t length) {
  const std::string text = header.substr(at, length);
  return text.substr(0, text.find('\0'));
}

unsigned sum_of(std::string header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  return sum;
}

}  // namespace

TEST_CASE("tar: a short name is one block, of ustar, with the right sum") {
  const std::string head = head_of("config.json", 1234);
  REQUIRE(head.size() == block);
  CHECK(field(head, 0, 100) == "config.json");
  CHECK(field(head, 100, 8) == "0000644");
  CHECK(field(head, 124, 12) == "00000002322");
  CHECK(field(head, 136, 12) == "00000000001");
  CHECK(std::stoul(field(head, 148, 8), nullptr, 8) == sum_of(head));
  CHECK(head[156] == '0');
  CHECK(head.substr(257, 8) == std::string("ustar\0"
                                           "00",
                                           8));
  CHECK(field(head, 345, 155).empty());
}

TEST_CASE("tar: a long name is split at a slash where both pieces fit") {
  const std::string folder(120, 'd');
  const std::string head = head_of(folder + "/file.bin", 1);
  REQUIRE(head.size() == block);
  CHECK(field(head, 345, 155) == folder);
  CHECK(field(head, 0, 100) == "file.bin");
  CHECK(head_of(std::string(155, 'd') + "/" + std::string(100, 'f'), 1).size() == block);
  CHECK(head_of(std::string(100, 'x'), 1).size() == block);
}

TEST_CASE("tar: what does not fit stands in a pax record that counts its own length") {
  const std::vector<std::string> paths = {std::string(101, 'x'), std::string(156, 'd') + "/f", "ü",
                                          "d/" + std::string(101, 'f'), std::string(85, 'y') + "é"};
  for (const std::string& path : paths) {
    CAPTURE(path);
    const std::string head = head_of(path, 5);
    REQUIRE(head.size() == 3 * block);
    CHECK(head[156] == 'x');
    CHECK(head[2 * block + 156] == '0');
    const Bytes length = std::stoul(field(head, 124, 12), nullptr, 8);
    const std::string record = head.substr(block, length);
    CHECK(record == std::to_string(length) + " path=" + path + "\n");
    CHECK(std::stoul(field(head, 148, 8), nullptr, 8) == sum_of(head.substr(0, block)));
  }
}

TEST_CASE("tar: a size of eight GiB and more") {
  const Bytes largest = 077777777777;
  CHECK(head_of("a", largest).size() == block);
  CHECK(field(head_of("a", largest), 124, 12) == "77777777777");
  const std::string head = head_of("a", largest + 1);
  REQUIRE(head.size() == 3 * block);
  CHECK(head.substr(block, 19) == "19 size=8589934592\n");
  const std::string base256 = head.substr(2 * block + 124, 12);
  CHECK(base256 == std::string("\x80\0\0\0\0\0\0\2\0\0\0\0", 12));
}

TEST_CASE("tar: padding up to the block, and the end") {
  for (const auto& [size, pad] :
       std::vector<std::pair<Bytes, Bytes>>{{0, 0}, {1, 511}, {511, 1}, {512, 0}, {513, 511}}) {
    FileEntry file;
    file.size = size;
    CHECK(Tar().tail(file) == std::string(pad, '\0'));
  }
  CHECK(Tar().end() == std::string(2 * block, '\0'));
}
