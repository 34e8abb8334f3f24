// SPDX-License-Identifier: MIT
#include "pipe/funnel_plan.h"

#include <doctest/doctest.h>

#include "base/text.h"

using namespace hfpour;

namespace {

constexpr SinkLimits s3{5 * MiB, 5 * GiB, 10'000};

FunnelNeed need(Bytes ceiling) {
  FunnelNeed wanted;
  wanted.ceiling = ceiling;
  wanted.resident = 18 * MiB;
  wanted.part_size = 8 * MiB;
  return wanted;
}

FunnelPlan planned(const FunnelNeed& wanted) {
  const Result<FunnelPlan> plan = plan_funnel(wanted, s3);
  REQUIRE_MESSAGE(plan.has_value(), (plan ? "" : plan.error().sentence));
  return *plan;
}

}  // namespace

TEST_CASE("funnel plan: parts grow as the stream goes on, two fit into the memory, and never shrink") {
  for (const Bytes ceiling : {48 * MiB, 64 * MiB, 96 * MiB, 256 * MiB, 1 * GiB, 16 * GiB}) {
    CAPTURE(ceiling);
    const FunnelPlan plan = planned(need(ceiling));
    CHECK(plan.part_size(1) <= 8 * MiB);
    CHECK(2 * plan.most_part <= plan.budget);
    CHECK((plan.uploads + 1) * plan.first_part <= plan.budget);
    CHECK(plan.budget < ceiling);
    for (unsigned number = 2; number <= 10'000; ++number) {
      CHECK(plan.part_size(number) >= plan.part_size(number - 1));
      CHECK(plan.part_size(number) >= s3.min_part);
      CHECK(plan.part_size(number) <= plan.most_part);
    }
  }
}

TEST_CASE("funnel plan: no cliff at 48, 80 or 488 GiB with the default memory") {
  CHECK(planned(need(256 * MiB)).capacity() > 800 * GiB);
  CHECK(planned(need(64 * MiB)).capacity() > 100 * GiB);
  const FunnelPlan plan = planned(need(256 * MiB));
  CHECK(plan.part_size(500) == 8 * MiB);
  CHECK(plan.part_size(501) == 16 * MiB);
  CHECK(plan.part_size(1001) == 32 * MiB);
  const double more = static_cast<double>(planned(need(512 * MiB)).capacity()) / static_cast<double>(plan.capacity());
  CHECK(more > 1.8);
}

TEST_CASE("funnel plan: a known size gives equal parts inside the store's number of them") {
  for (const Bytes size : {0 * MiB, 1 * MiB, 100 * GiB, 400 * GiB, 700 * GiB}) {
    CAPTURE(size);
    FunnelNeed wanted = need(256 * MiB);
    wanted.expected_size = size;
    const FunnelPlan plan = planned(wanted);
    CHECK(plan.part_size(1) == plan.part_size(10'000));
    CHECK(plan.part_size(1) >= 8 * MiB);
    CHECK(plan.capacity() >= size);
  }
}

TEST_CASE("funnel plan: a part size that does not fit gives way, known size or not") {
  for (const std::optional<Bytes> size : {std::optional<Bytes>(), std::optional<Bytes>(GiB)}) {
    FunnelNeed wanted = need(64 * MiB);
    wanted.part_size = GiB;
    wanted.expected_size = size;
    const FunnelPlan plan = planned(wanted);
    CHECK(plan.first_part < 32 * MiB);
    CHECK(plan.first_part >= 5 * MiB);
  }
}

TEST_CASE("funnel plan: a store that wants equal parts gets them, as long as memory allows") {
  FunnelNeed wanted = need(256 * MiB);
  wanted.equal_parts = true;
  const FunnelPlan plan = planned(wanted);
  CHECK(plan.part_size(1) == plan.part_size(10'000));
  CHECK(plan.capacity() > 400 * GiB);
  CHECK(2 * plan.first_part <= plan.budget);
}

TEST_CASE("funnel plan: too little memory is refused, and what the sentence asks for will do") {
  const Result<FunnelPlan> small = plan_funnel(need(32 * MiB), s3);
  REQUIRE_FALSE(small.has_value());
  CHECK(small.error().kind == Kind::usage);
  FunnelNeed large = need(256 * MiB);
  large.expected_size = 4096 * GiB;
  for (const FunnelNeed& refused : {need(32 * MiB), large}) {
    const std::string sentence = plan_funnel(refused, s3).error().sentence;
    const std::string asked = sentence.substr(sentence.find("give at least ") + 14);
    const std::optional<Bytes> mib = parse_decimal(asked.substr(0, asked.find(' ')));
    REQUIRE_MESSAGE(mib.has_value(), sentence);
    FunnelNeed enough = refused;
    enough.ceiling = *mib * MiB;
    CHECK(plan_funnel(enough, s3).has_value());
    enough.ceiling -= 2 * MiB;
    CHECK_FALSE(plan_funnel(enough, s3).has_value());
  }
  FunnelNeed never = need(256 * MiB);
  never.expected_size = 60'000 * GiB;
  CHECK(plan_funnel(never, s3).error().kind == Kind::quota);
}
