// SPDX-License-Identifier: MIT
#include "buffer/ring_lender.h"

#include <doctest/doctest.h>

#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

/// Counts how often a writer was told to try again.
struct Woken final : Waker {
  void wake() override { ++times; }
  unsigned times = 0;
};

/// A lender with so many rings' memory.
struct Lent {
  explicit Lent(std::size_t rings) : pool(RingPool::make(rings, 16)), lender(**pool) {}
  Result<std::unique_ptr<RingPool>> pool;
  RingLender lender;
};

/// A ring with its place in the line and its writer.
struct Stripe {
  explicit Stripe(RingLender& lender) : lender_(lender), ring(lender.ring()) {
    ring.set_writer_waker(&writer);
    lender_.enter(ring);
  }
  /// True when the byte went in; else the writer waits, as a download does.
  bool write() {
    if (ring.write(as_view("x"))) return true;
    ring.writer_waits();
    return false;
  }
  void end() { lender_.leave(ring); }
  void begin_again() { lender_.enter(ring); }

 private:
  RingLender& lender_;

 public:
  Ring ring;
  Woken writer;
};

}  // namespace

TEST_CASE("ring lender: a ring has memory from its first byte until it leaves the line") {
  Lent lent(1);
  Stripe stripe(lent.lender);
  CHECK_FALSE(stripe.ring.has_memory());
  CHECK(stripe.ring.free() == 0);
  CHECK(stripe.write());
  CHECK(stripe.ring.has_memory());
  CHECK(stripe.ring.free() == 15);
  stripe.end();
  CHECK_FALSE(stripe.ring.has_memory());
  CHECK_FALSE(stripe.write());  // not in the line
  CHECK(stripe.writer.times == 0);
  stripe.begin_again();
  CHECK(stripe.write());
  CHECK(stripe.ring.written() == 1);
}

TEST_CASE("ring lender: who comes when all is lent is woken as soon as something is given back") {
  Lent lent(2);
  Stripe first(lent.lender);
  Stripe second(lent.lender);
  Stripe third(lent.lender);
  CHECK(first.write());
  CHECK(second.write());
  CHECK_FALSE(third.write());
  CHECK(third.writer.times == 0);
  second.end();
  CHECK(third.writer.times == 1);
  CHECK(third.ring.has_memory());
  CHECK(third.write());
}

TEST_CASE("ring lender: nobody gets memory that those before it will need") {
  Lent lent(2);
  Stripe first(lent.lender);
  Stripe second(lent.lender);
  Stripe third(lent.lender);
  CHECK_FALSE(third.write());  // two before it are still to come
  CHECK(second.write());       // one is left for the first
  CHECK(third.writer.times == 0);
  CHECK(first.write());
  CHECK_FALSE(third.ring.has_memory());
  first.end();
  CHECK(third.writer.times == 1);
  CHECK(third.write());
}

TEST_CASE("ring lender: when the first of the line leaves without a byte, the next may have the last memory") {
  Lent lent(1);
  Stripe first(lent.lender);
  Stripe second(lent.lender);
  CHECK_FALSE(second.write());
  first.end();
  CHECK(second.writer.times == 1);
  CHECK(second.write());
}

TEST_CASE("ring lender: what was given back last is lent next") {
  Lent lent(3);
  Stripe first(lent.lender);
  Stripe second(lent.lender);
  CHECK(first.write());
  CHECK(second.write());
  const std::byte* const warm = first.ring.peek(Ring::Reader::hash, 1).data();
  first.end();
  first.begin_again();
  CHECK(first.write());
  CHECK(first.ring.peek(Ring::Reader::hash, 1).data() == warm);
}
