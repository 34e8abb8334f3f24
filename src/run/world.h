// SPDX-License-Identifier: MIT
#pragma once

#include "base/random.h"
#include "loop/reactor.h"
#include "transfer/observer.h"

namespace hfpour::run {

/// What every command works in; all of it outlives the command. Loop thread.
struct World {
  Reactor& reactor;
  Observer& observer;
  Progress& progress;
  Random& random;
};

}  // namespace hfpour::run
