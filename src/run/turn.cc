// SPDX-License-Identifier: MIT
// Taking turns with other runs into the same place, when --lease-wait asks for it.
#include <fmt/core.h>

#include <algorithm>

#include "loop/deadline.h"
#include "loop/task_group.h"
#include "run/run.h"

namespace hfpour::run {
namespace {

constexpr Millis shortest_look{2'000};  ///< contract s3 §6.3: a look every 2 to 10 s, never in step with others
constexpr Millis looks_differ_by{3'000};
constexpr Millis claim_grace{1'000};  ///< a claim that nobody knows of blocks others for a minute
constexpr Millis release_deadline{1'500};

}  // namespace

/// Waits until nobody else pours into the place, and takes it. False when there is nothing left to do: another run has
/// poured what was wanted meanwhile. Errors: `busy` when the wait is over.
Task<Result<bool>> Run::take_turn(Found& found, CancelToken cancel) {
  const SteadyTime begun = reactor_.clock().now();
  bool waited = false;
  while (true) {
    Result<bool> free = co_await lease_.is_free(cancel);
    if (!free) co_return free.error();
    // Whoever had it may have poured all since the bucket was looked at.
    if (*free && lease_.was_taken()) {
      Result<void> looked = co_await look(found, cancel);
      if (!looked) co_return looked.error();
      if (is_there(found)) co_return false;
    }
    Result<Lease::Claim> claim = Lease::Claim::lost;
    if (*free) {
      Grace grace(reactor_, cancel, claim_grace);
      claim = co_await lease_.claim(grace.token());
    }
    if (!claim) co_return claim.error();
    if (*claim == Lease::Claim::ours) co_return true;
    if (*claim == Lease::Claim::unsupported) {
      console_.remark("this store cannot keep a lease: going on without waiting for other runs");
      co_return true;
    }
    const std::string who = lease_.holder().empty() ? "another run" : "another run (" + lease_.holder() + ")";
    if (reactor_.clock().now() - begun >= settings_.lease_wait) {
      co_return Error(Kind::busy, fmt::format("{} is still pouring into '{}' after {}", who, settings_.uri(),
                                              cli::format_duration(settings_.lease_wait)));
    }
    if (!waited) console_.remark(fmt::format("{} is pouring into this place: waiting for it", who));
    waited = true;
    const Millis jitter(static_cast<Millis::rep>(random_.fraction() * looks_differ_by.count()));
    co_await reactor_.sleep(std::min<Millis>(shortest_look + jitter, settings_.lease_wait), cancel);
    if (cancel.cancelled()) co_return cancel.error();
  }
}

/// `work`, with the lease renewed beside it and given back at its end.
Task<Result<void>> Run::work_in_turn(Found& found, CancelToken cancel) {
  CancelSource beside(cancel);
  TaskGroup group(reactor_.ready(), cancel);
  group.spawn(work_and_end(found, beside, group.token()));
  group.spawn(lease_.keep(beside.token()));
  Result<void> done = co_await group.join();
  if (outcome_.status == cli::Status::poured) done = Result<void>();  // what the lease says by now does not matter
  co_await give_back();
  co_return done;
}

/// Lets the next run begin at once; does nothing when no lease is held.
Task<void> Run::give_back() {
  Deadline deadline(reactor_, release_deadline);
  const Result<void> released = co_await lease_.release(deadline.token());
  if (!released) console_.remark("the lease could not be given back: " + released.error().describe());
}

Task<Result<void>> Run::work_and_end(Found& found, CancelSource& beside, CancelToken cancel) {
  Result<void> done = co_await work(found, cancel);
  beside.cancel();
  co_return done;
}

}  // namespace hfpour::run
