// SPDX-License-Identifier: MIT
#pragma once

#include "base/random.h"
#include "buffer/flow.h"
#include "loop/condition.h"
#include "support/test_loop.h"

namespace hfpour::testing {

/// Makes the fakes go on at odd moments, other ones for each seed, so that the order of things
/// varies.
class Weather {
 public:
  Weather(Reactor& reactor, std::uint64_t seed) : reactor_(reactor), random_(seed) {}

  /// Somewhere in `[least, most]`.
  std::uint64_t draw(std::uint64_t least, std::uint64_t most) {
    return least + static_cast<std::uint64_t>(random_.fraction() * static_cast<double>(most - least + 1));
  }

  /// Goes on at once, a little later, or some milliseconds later.
  Task<void> pass(CancelToken cancel) {
    const std::uint64_t mood = draw(0, 9);
    for (std::uint64_t i = 0; i < mood % 4; ++i) co_await Yield();
    if (mood == 9) co_await reactor_.sleep(Millis(draw(1, 20)), cancel);
  }

 private:
  Reactor& reactor_;
  Random random_;
};

/// Tells a fake that a full or empty buffer has changed.
class Bell final : public Waker {
 public:
  void wake() override { rung.notify(); }
  Condition rung;
};

}  // namespace hfpour::testing
