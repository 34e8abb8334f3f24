// SPDX-License-Identifier: MIT
#include "transfer/memory_plan.h"

#include <doctest/doctest.h>

#include "base/random.h"

using namespace hfpour;

namespace {

MemoryNeed need_of(Bytes ceiling, std::size_t large, std::size_t small, unsigned lanes = 0) {
  MemoryNeed need;
  need.ceiling = ceiling;
  need.resident = 20 * MiB;
  need.lanes = lanes;
  need.part_size = 16 * MiB;
  need.large_files = large;
  need.small_files = small;
  need.windows_fixed = true;
  return need;
}

}  // namespace

TEST_CASE("memory plan: the table") {
  struct Row {
    Bytes ceiling;
    std::size_t large;
    std::size_t small;
    unsigned wished;
    unsigned least_lanes;
    unsigned most_lanes;
    Bytes least_ring;
    bool held;
  };
  const Row rows[] = {
      {64 * MiB, 100, 20, 0, 4, 32, 1 * MiB, true},  // many shards in little memory
      {64 * MiB, 1, 0, 0, 4, 32, 16 * MiB, true},    // two stripes of 16 MiB move while others wait
      {48 * MiB, 1, 0, 0, 1, 1, 2 * MiB, true},      // a long stream beats one stripe after the other
      {64 * MiB, 0, 3, 0, 3, 3, 2 * MiB, false},     // no more lanes than files
      {64 * MiB, 0, 0, 0, 1, 1, 2 * MiB, false},         {256 * MiB, 100, 20, 0, 32, 32, 2 * MiB, false},
      {256 * MiB, 1, 0, 0, 4, 32, 16 * MiB, true},  // stripes: rings as long as a part
      {256 * MiB, 0, 1000, 0, 32, 32, 2 * MiB, false},   {1 * GiB, 100, 0, 0, 32, 32, 2 * MiB, false},
      {1 * GiB, 2, 0, 0, 64, 64, 16 * MiB, false},       {1 * GiB, 100, 0, 64, 64, 64, 2 * MiB, false},
      {1 * GiB, 100, 0, 1000, 64, 64, 2 * MiB, false},   // more than anybody has use for
      {64 * MiB, 100, 0, 32, 32, 32, 256 * KiB, false},  // who asks for lanes gets them, with shorter rings
      {128 * MiB, 100, 0, 64, 64, 64, 512 * KiB, false}, {64 * MiB, 100, 0, 64, 4, 63, 1 * MiB, true},
      {1 * GiB, 100, 0, 1, 1, 1, 2 * MiB, false},        {64 * MiB, 100, 0, 2, 2, 2, 2 * MiB, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.ceiling / MiB);
    CAPTURE(row.large);
    CAPTURE(row.small);
    CAPTURE(row.wished);
    const auto plan = plan_memory(need_of(row.ceiling, row.large, row.small, row.wished));
    REQUIRE(plan);
    CHECK(plan->lanes >= row.least_lanes);
    CHECK(plan->lanes <= row.most_lanes);
    CHECK(plan->rings >= 1);
    CHECK(plan->rings <= plan->lanes);
    if (plan->ring_bytes < 16 * MiB) CHECK(plan->rings == plan->lanes);
    CHECK(plan->ring_bytes >= row.least_ring);
    CHECK(plan->held_by_memory == row.held);
    CHECK(plan->total() + 24 * MiB <= row.ceiling);
  }
}

TEST_CASE("memory plan: a ceiling that is too low is refused with the arithmetic") {
  MemoryNeed need = need_of(16 * MiB, 10, 10);
  need.resident = 20 * MiB;
  const auto plan = plan_memory(need);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().kind == Kind::usage);
  CHECK(plan.error().sentence ==
        "--memory 16.0 MiB is too little: 20.0 MiB in use (program and listing) + 4.0 MiB reserve + "
        "1.9 MiB for one lane = 25.9 MiB; give at least 26 MiB");
  need.ceiling = 27 * MiB;  // the advice is good
  CHECK(plan_memory(need).has_value());
}

TEST_CASE("memory plan: the sum never exceeds the ceiling") {
  Random random(2026);
  const auto draw = [&random](double most) { return static_cast<Bytes>(random.fraction() * most); };
  unsigned planned = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    MemoryNeed need;
    need.ceiling = i % 100 == 0 ? draw(1e13) : draw(2e9);
    need.resident = draw(i % 2 == 0 ? 60e6 : 1e9);
    need.lanes = static_cast<unsigned>(i % 3 == 0 ? draw(100) : 0);
    need.part_size = 5 * MiB + draw(i % 7 == 0 ? 5e9 : 1e8);
    need.large_files = draw(i % 5 == 0 ? 1e5 : 40);
    need.small_files = draw(50);
    need.windows_fixed = i % 2 == 0;
    need.plain_source = i % 4 < 2;
    const auto plan = plan_memory(need);
    if (!plan) continue;
    ++planned;
    CAPTURE(i);
    REQUIRE(plan->lanes >= 1);
    REQUIRE((need.lanes == 0 || plan->lanes <= need.lanes));
    REQUIRE(plan->ring_bytes >= 256 * KiB);
    REQUIRE(plan->rings >= 1);
    REQUIRE(plan->rings <= plan->lanes);
    REQUIRE(plan->per_lane > plan->receive_window);
    REQUIRE(plan->per_ring > plan->ring_bytes + 2 * plan->send_buffer);
    REQUIRE(need.resident + plan->total() <= need.ceiling);
  }
  CHECK(planned > 10'000);
}

TEST_CASE("memory plan: a higher ceiling never gives fewer bytes to the lanes") {
  for (const std::size_t large : {std::size_t(0), std::size_t(1), std::size_t(500)}) {
    Bytes before = 0;
    for (Bytes ceiling = 32 * MiB; ceiling <= 1 * GiB; ceiling += 4 * MiB) {
      const auto plan = plan_memory(need_of(ceiling, large, 50));
      REQUIRE(plan);
      CAPTURE(large);
      CAPTURE(ceiling / MiB);
      CHECK(plan->rings * plan->ring_bytes + 2 * MiB >= before / 2);  // steps of kernel buffers may cost rings
      before = plan->rings * plan->ring_bytes;
    }
  }
}

TEST_CASE("memory plan: one large file gets more lanes than rings, and more of both with more memory") {
  unsigned lanes = 1;
  for (const Bytes ceiling : {64 * MiB, 128 * MiB, 256 * MiB}) {
    MemoryNeed need = need_of(ceiling, 1, 0);
    need.part_size = 8 * MiB;
    const auto plan = plan_memory(need);
    REQUIRE(plan);
    CAPTURE(ceiling / MiB);
    CHECK(plan->ring_bytes == 8 * MiB);
    CHECK(plan->rings < plan->lanes);
    CHECK(plan->lanes > lanes);
    lanes = plan->lanes;
  }
  CHECK(lanes > 40);
}

TEST_CASE("memory plan: with memory for it a stripe has several parts, so that fewer wait for their first byte") {
  MemoryNeed need = need_of(1 * GiB, 1, 0);
  for (const Bytes part : {8 * MiB, 5 * MiB, 16 * MiB}) {
    CAPTURE(part / MiB);
    need.part_size = part;
    const auto plan = plan_memory(need);
    REQUIRE(plan);
    CHECK(plan->lanes == 64);
    CHECK(plan->ring_bytes >= 16 * MiB);
    CHECK(plan->ring_bytes <= 20 * MiB);
    CHECK(plan->ring_bytes % part == 0);
  }
}

TEST_CASE(
    "memory plan: a large window is counted twice, as the kernel does when it is full, and must not cost many lanes") {
  const auto plenty = plan_memory(need_of(256 * MiB, 100, 0));
  CHECK(plenty->lanes == 32);
  CHECK(plenty->receive_window == 1 * MiB);
  CHECK(plenty->per_lane >= 2 * plenty->receive_window);
  const auto less = plan_memory(need_of(128 * MiB, 100, 0));
  CHECK(less->lanes >= 24);
  CHECK(less->receive_window == 512 * KiB);
  CHECK(less->per_lane >= 2 * less->receive_window);
}

TEST_CASE("memory plan: a large window that the kernel does not fix is counted four times") {
  for (const Bytes ceiling : {128 * MiB, 256 * MiB, 512 * MiB}) {
    MemoryNeed need = need_of(ceiling, 100, 0);
    need.windows_fixed = false;
    const auto plan = plan_memory(need);
    CAPTURE(ceiling / MiB);
    CHECK(plan->lanes >= 16);
    CHECK(plan->receive_window > 256 * KiB);
    CHECK(plan->per_lane >= 4 * plan->receive_window);
  }
}

TEST_CASE("memory plan: windows that the kernel may let grow are only given where there is room for that") {
  CHECK(plan_memory(need_of(32 * MiB, 1, 0))->receive_window <= 256 * KiB);
  CHECK(plan_memory(need_of(40 * MiB, 8, 0, 4))->receive_window <= 256 * KiB);
  CHECK(plan_memory(need_of(256 * MiB, 100, 0))->receive_window > 256 * KiB);
  MemoryNeed stripes = need_of(256 * MiB, 1, 0);
  stripes.part_size = 8 * MiB;
  CHECK(plan_memory(stripes)->receive_window <= 256 * KiB);
}

TEST_CASE(
    "memory plan: the first stripes of a source without TLS get wide windows, where they take little from others") {
  MemoryNeed need = need_of(256 * MiB, 1, 0);
  need.part_size = 8 * MiB;
  CHECK(plan_memory(need)->wide_windows == 0);
  need.plain_source = true;
  const auto wide = plan_memory(need);
  CHECK(wide->wide_windows == first_lanes);
  CHECK(wide->for_wide_windows == first_lanes * 2 * (largest_window - wide->receive_window));
  CHECK(wide->total() == wide->lanes * wide->per_lane + wide->rings * wide->per_ring + wide->for_wide_windows);
  need.windows_fixed = false;
  const auto usual = plan_memory(need);
  CHECK(usual->wide_windows == 0);
  CHECK(usual->for_wide_windows == 0);
  CHECK(wide->rings >= usual->rings - usual->rings / 10);
  CHECK(wide->lanes >= usual->lanes - usual->lanes / 10);
  need.windows_fixed = true;
  need.ceiling = 96 * MiB;
  CHECK(plan_memory(need)->wide_windows == 0);
  need.ceiling = 256 * MiB;
  need.lanes = 4;
  CHECK(plan_memory(need)->wide_windows <= 4);
}

TEST_CASE("memory plan: a source without TLS gets longer copies, which are counted, where memory is not scarce") {
  for (const std::size_t large : {std::size_t(100), std::size_t(1)}) {
    MemoryNeed need = need_of(256 * MiB, large, 0);
    need.part_size = 8 * MiB;
    need.windows_fixed = large > 1;  // wide windows are another matter
    const auto usual = plan_memory(need);
    CAPTURE(large);
    CHECK(usual->copy_buffer == 64 * KiB);
    need.plain_source = true;
    const auto longer = plan_memory(need);
    CHECK(longer->copy_buffer == 256 * KiB);
    CHECK(longer->ring_bytes == usual->ring_bytes);
    CHECK(longer->receive_window == usual->receive_window);
    CHECK(longer->per_lane - usual->per_lane == 192 * KiB);
    CHECK(longer->per_ring - usual->per_ring == uploads_per_lane * 192 * KiB);
    CHECK(longer->lanes >= usual->lanes - usual->lanes / 8);
  }
  for (Bytes ceiling = 40 * MiB; ceiling <= 300 * MiB; ceiling += 1 * MiB) {
    MemoryNeed need = need_of(ceiling, 100, 0);
    const unsigned lanes = plan_memory(need)->lanes;
    need.plain_source = true;
    CAPTURE(ceiling / MiB);
    CHECK(plan_memory(need)->lanes == lanes);  // none is given for them
  }
  MemoryNeed thrifty = need_of(64 * MiB, 100, 0, 32);
  thrifty.plain_source = true;
  CHECK(plan_memory(thrifty)->copy_buffer == 64 * KiB);
}
