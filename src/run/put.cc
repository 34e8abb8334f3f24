// SPDX-License-Identifier: MIT
#include "run/put.h"

#include <fmt/core.h>

#include "run/wiring.h"

namespace hfpour::run {
namespace {

s3::ObjectNotes notes_of(const PipeSettings& settings, Random& random) {
  s3::ObjectNotes notes;
  notes.with_hash = settings.sha256.has_value();
  if (!notes.with_hash) notes.mark = fmt::format("{:016x}{:016x}", random.word(), random.word());
  return notes;
}

}  // namespace

Put::Put(const PipeSettings& settings, World world, Descriptor& in, std::optional<Bytes> size)
    : settings_(settings),
      world_(world),
      in_(in),
      size_(settings.expected_size ? settings.expected_size : size),
      leg_(world.reactor, make_leg(settings.ca_bundle, store_stall, world.observer)),
      keys_(settings.keys, settings.ca_bundle, world),
      bucket_(leg_, *settings.location, keys_.source(), world.observer, world.random, settings.patience,
              world.progress),
      sink_(bucket_, "", notes_of(settings, world.random), settings.check_md5) {
}

Task<Result<Funnel::Stored>> Put::go(CancelToken cancel) {
  FunnelNeed need;
  need.ceiling = settings_.memory;
  need.resident = resident_now() + warm_up;
  need.uploads = settings_.lanes;
  need.part_size = settings_.part_size;
  need.expected_size = size_;
  need.equal_parts = settings_.equal_parts;
  Result<FunnelPlan> plan = plan_funnel(need, sink_.limits());
  if (!plan) co_return plan.error();
  leg_.set_buffers({.send_buffer = plan->send_buffer});
  HashWorkers hashers(world_.reactor, hash_threads());
  FileEntry entry;
  entry.path = settings_.key;
  if (settings_.sha256) entry.hash = *settings_.sha256;
  Funnel::Wishes wishes;
  wishes.plan = *plan;
  wishes.expected_size = size_;
  wishes.verify = settings_.sha256.has_value();
  wishes.check_md5 = settings_.check_md5;
  wishes.patience = settings_.patience;
  const Funnel::Services services{world_.reactor, hashers, in_, sink_, world_.observer, world_.progress, world_.random};
  Funnel funnel(services, entry, wishes);
  Result<Funnel::Stored> stored = co_await funnel.run(cancel);
  co_return stored;
}

}  // namespace hfpour::run
