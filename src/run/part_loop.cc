// SPDX-License-Identifier: MIT
#include "run/part_loop.h"

#include <system_error>

#include "run/wiring.h"
#include "transfer/memory_plan.h"

namespace hfpour::run {

// A ring gives out bites of a quarter of it, or 64 KiB, and what has passed unheard of is not free yet.
static_assert(least_ring >= 2 * http::RemoteSender::worth_telling);

PartLoop::PartLoop(Reactor& reactor, const http::Leg& leg, s3::Bucket& bucket) : reactor_(reactor), bucket_(bucket) {
  if (usable_cores() < 2) return;
  try {
    side_.emplace(reactor.clock(), "send");
  } catch (const std::system_error&) {
    return;
  }
  sender_.emplace(reactor, *side_, leg);
  bucket_.send_parts_by(&*sender_);
}

std::vector<const Reactor*> PartLoop::loops() const {
  std::vector<const Reactor*> all = {&reactor_};
  if (side_) all.push_back(&side_->reactor());
  return all;
}

}  // namespace hfpour::run
