// SPDX-License-Identifier: MIT
#include "transfer/part_plan.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/random.h"

using namespace hfpour;

namespace {

// Amazon S3 User Guide, "multipart upload limits".
constexpr SinkLimits s3{5 * MiB, 5 * GiB, 10'000};
constexpr Bytes largest = 10'000 * 5 * GiB;  // 48.8 TiB

}  // namespace

TEST_CASE("part plan: the table") {
  struct Row {
    Bytes size;
    Bytes preferred;
    Bytes part_size;
    unsigned count;
    Bytes last;
  };
  const Row rows[] = {
      {0, 16 * MiB, 16 * MiB, 0, 0},
      {1, 16 * MiB, 16 * MiB, 1, 1},
      {16 * MiB - 1, 16 * MiB, 16 * MiB, 1, 16 * MiB - 1},
      {16 * MiB, 16 * MiB, 16 * MiB, 1, 16 * MiB},
      {16 * MiB + 1, 16 * MiB, 16 * MiB, 2, 1},
      {48 * MiB, 16 * MiB, 16 * MiB, 3, 16 * MiB},
      {100 * MiB, 1 * MiB, 5 * MiB, 20, 5 * MiB},  // the store's least part
      {20 * GiB, 9 * GiB, 5 * GiB, 4, 5 * GiB},    // the store's largest part
      {10'000 * 16 * MiB, 16 * MiB, 16 * MiB, 10'000, 16 * MiB},
      {10'000 * 16 * MiB + 1, 16 * MiB, 17 * MiB, 9'412, 13 * MiB + 1},
      {1024 * GiB, 16 * MiB, 105 * MiB, 9'987, 46 * MiB},
      {largest, 16 * MiB, 5 * GiB, 10'000, 5 * GiB},
      {largest - 1, 16 * MiB, 5 * GiB, 10'000, 5 * GiB - 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.size);
    CAPTURE(row.preferred);
    const auto plan = plan_parts(row.size, row.preferred, s3);
    REQUIRE(plan);
    CHECK(plan->part_size == row.part_size);
    CHECK(plan->count() == row.count);
    if (row.count > 0) CHECK(plan->range(row.count).size() == row.last);
  }
}

TEST_CASE("part plan: what no number of parts can hold is refused") {
  for (const Bytes size :
       {largest + 1, 2 * largest, std::numeric_limits<Bytes>::max() - 1, std::numeric_limits<Bytes>::max()}) {
    CAPTURE(size);
    const auto plan = plan_parts(size, 16 * MiB, s3);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().kind == Kind::quota);
    CHECK(plan.error().sentence.find("10000 parts of 5.0 GiB") != std::string::npos);
  }
}

TEST_CASE("part plan: parts follow each other without gap or overlap") {
  Random random(7);
  for (unsigned i = 0; i < 2000; ++i) {
    const auto size = static_cast<Bytes>(random.fraction() * 5000);
    const auto preferred = 1 + static_cast<Bytes>(random.fraction() * 300);
    CAPTURE(size);
    CAPTURE(preferred);
    const auto plan = plan_parts(size, preferred, SinkLimits{4, 256, 10'000});
    REQUIRE(plan);
    Bytes at = 0;
    for (unsigned number = 1; number <= plan->count(); ++number) {
      const ByteRange range = plan->range(number);
      REQUIRE(range.begin == at);
      REQUIRE(range.size() > 0);
      REQUIRE(range.size() <= plan->part_size);
      REQUIRE((number == plan->count() || range.size() == plan->part_size));
      REQUIRE(plan->number_at(range.begin) == number);
      REQUIRE(plan->number_at(range.end - 1) == number);
      at = range.end;
    }
    CHECK(at == size);
  }
}
