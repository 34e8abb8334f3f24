// SPDX-License-Identifier: MIT
#include "base/bytes.h"

#include <doctest/doctest.h>

using namespace hfpour;

TEST_CASE("bytes: sizes are read with binary and decimal units") {
  const std::pair<std::string_view, Bytes> rows[] = {
      {"0", 0},
      {"1048576", MiB},
      {"64Mi", 64 * MiB},
      {"64MiB", 64 * MiB},
      {"64M", 64'000'000},
      {"1.5Gi", 1536 * MiB},
      {"500k", 500'000},
      {"500K", 500'000},
      {"2 GiB", 2 * GiB},
      {"7B", 7},
      {"1T", 1'000'000'000'000},
      {"1Ti", 1024 * GiB},
      {"16KiB", 16 * KiB},
      {"16 Ki", 16 * KiB},
      {"1TiB", 1024 * GiB},
      {"0.5", 0},
      {"3GB", 3'000'000'000},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    const auto read = parse_bytes(row.first);
    REQUIRE(read);
    CHECK(*read == row.second);
  }
}

TEST_CASE("bytes: what is no size is refused by name") {
  for (const char* const text :
       {"",      " ",  "M",   "-1",  "-0.5Mi", "1 0", "12Q",      "64mib", "1e3",           "0x10",
        "1,5Gi", "+5", "nan", "NaN", "nan(5)", "inf", "infinity", "-nan",  "99999999999Ti", "1M "}) {
    CAPTURE(text);
    const auto read = parse_bytes(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == Kind::usage);
    CHECK(read.error().sentence.find("'" + std::string(text) + "'") != std::string::npos);
  }
}

// Found by tests/fuzz (options).
TEST_CASE("bytes: what is no size is shown as it may stand in a log") {
  CHECK(parse_bytes("1\x1b[31m\xff").error().sentence.starts_with("'1\\x1b[31m\\xff' is not"));
  CHECK(parse_bytes("1\u202eM").error().sentence.starts_with("'1\\xe2\\x80\\xaeM' is not"));
  CHECK(parse_bytes(std::string(5000, '9') + "x").error().sentence.size() < 300);
}

TEST_CASE("bytes: a size is shown in the unit a person would choose") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.0 KiB");
  CHECK(format_bytes(MiB - 1) == "1.0 MiB");
  CHECK(format_bytes(3 * GiB + 400 * MiB) == "3.4 GiB");
  CHECK(format_bytes(1024 * GiB) == "1.0 TiB");
  CHECK(format_bytes(~Bytes(0)) == "16384.0 PiB");
}

TEST_CASE("bytes: a shown size can be given back") {
  for (const Bytes bytes : {512 * KiB, 3 * MiB, 7 * GiB, 2048 * GiB}) {
    CHECK(*parse_bytes(format_bytes(bytes)) == bytes);
  }
}
