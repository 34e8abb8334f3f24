// SPDX-License-Identifier: MIT
#include "run/part_loop.h"

#include "run/wiring.h"

namespace hfpour::run {

PartLoop::PartLoop(Reactor& reactor, const http::Leg& leg, s3::Bucket& bucket) : reactor_(reactor), bucket_(bucket) {
  if (usable_cores() < 2) return;
  side_.emplace(reactor.clock(), "send");
  sender_.emplace(reactor, *side_, leg);
  bucket_.send_parts_by(&*sender_);
}

std::vector<const Reactor*> PartLoop::loops() const {
  std::vector<const Reactor*> all = {&reactor_};
  if (side_) all.push_back(&side_->reactor());
  return all;
}

}  // namespace hfpour::run
