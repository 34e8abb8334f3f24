// SPDX-License-Identifier: MIT
#include "run/stream_out.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "http/receive_buffer.h"
#include "hub/file_source.h"
#include "pipe/tar.h"
#include "run/store_keys.h"
#include "run/wiring.h"
#include "s3/location.h"

namespace hfpour::run {
namespace {

constexpr Bytes part = 8 * MiB;  ///< as those of a pour: the same arithmetic of waiting and streaming holds

/// The bytes that were asked for, of a file of `size`. Errors: `usage` when it has none of them.
Result<ByteRange> range_in(const cli::WantedRange& wanted, const FileEntry& file) {
  if (!wanted.first) return ByteRange{file.size - std::min(file.size, *wanted.last), file.size};
  if (*wanted.first >= file.size) {
    return Error(Kind::usage, fmt::format("--range begins at byte {}, and '{}' has {} bytes", *wanted.first,
                                          printable(file.path), file.size));
  }
  const bool ends_before = wanted.last && *wanted.last < file.size;
  return ByteRange{*wanted.first, ends_before ? *wanted.last + 1 : file.size};
}

}  // namespace

StreamOut::StreamOut(const PipeSettings& settings, World world, Descriptor& out)
    : settings_(settings),
      world_(world),
      out_(out),
      leg_(world.reactor, make_leg(settings.ca_bundle, settings.repo ? hub_stall : store_stall, world.observer)) {
}

Task<Result<void>> StreamOut::go(CancelToken cancel) {
  if (settings_.repo) {
    Result<void> done = co_await from_hub(cancel);
    co_return done;
  }
  Result<void> done = co_await from_store(cancel);
  co_return done;
}

Task<Result<void>> StreamOut::from_hub(CancelToken cancel) {
  hub::HubClient hub(leg_, settings_.hub_endpoint, settings_.hf_token, world_.observer, world_.random,
                     settings_.patience, world_.progress);
  Result<hub::RepoInfo> info = co_await hub.info(*settings_.repo, room_for_listing(settings_.memory), cancel);
  if (!info) co_return info.error();
  hub::RepoRef ref = *settings_.repo;
  ref.id = info->id;
  const auto keep = [this](const FileEntry& file) { return settings_.selection.keeps(file.path); };
  const Result<std::vector<FileEntry>> files =
      co_await hub.list(ref, info->commit, keep, room_for_listing(settings_.memory), cancel);
  if (!files) co_return files.error();
  Result<void> chosen = choose(*files);
  if (!chosen) co_return chosen;
  hub::FileSource source(hub, ref, info->commit);
  const Framing plain;
  const Tar tar;
  const bool archive = settings_.command == cli::Action::tar;
  Result<void> poured = co_await pour(source, leg_, archive ? static_cast<const Framing&>(tar) : plain, cancel);
  co_return poured;
}

Result<void> StreamOut::choose(const std::vector<FileEntry>& files) {
  const hub::RepoRef& repo = *settings_.repo;
  if (files.empty() && !repo.path.empty()) {
    return Error(Kind::not_found, fmt::format("{} has no file '{}'", hub::to_string(repo), printable(repo.path)));
  }
  if (files.empty()) {
    return Error(Kind::empty_selection,
                 fmt::format("no file of {} is selected by {}", hub::to_string(repo), settings_.selection.describe()));
  }
  for (const FileEntry& file : files) {
    // Whoever unpacks the archive must not be led out of the folder it unpacks into.
    const Result<void> harmless = s3::check_key(file.path);
    if (!harmless) return Error(Kind::forbidden, harmless.error().sentence);
    Result<Spout::Member> member = member_of(file, true);
    if (!member) return member.error();
    members_.push_back(*member);
  }
  return {};
}

Result<Spout::Member> StreamOut::member_of(const FileEntry& file, bool hash_known) const {
  Spout::Member member{&file, ByteRange{0, file.size}, hash_known};
  if (!settings_.range) return member;
  Result<ByteRange> range = range_in(*settings_.range, file);
  if (!range) return range.error();
  member.range = *range;
  member.verify = hash_known && range->size() == file.size;
  return member;
}

Task<Result<void>> StreamOut::from_store(CancelToken cancel) {
  StoreKeys keys(settings_.keys, settings_.ca_bundle, world_);
  s3::Bucket bucket(leg_, *settings_.location, keys.source(), world_.observer, world_.random, settings_.patience,
                    world_.progress);
  const Result<s3::ObjectFacts> facts = co_await s3::look_at(bucket, settings_.key, cancel);
  if (!facts) co_return facts.error();
  Result<Spout::Member> member = member_of(facts->file, facts->hash_known);
  if (!member) co_return member.error();
  members_.push_back(*member);
  s3::PinnedSource source(bucket, *facts);
  const Framing plain;
  Result<void> poured = co_await pour(source, leg_, plain, cancel);
  co_return poured;
}

Task<Result<void>> StreamOut::pour(Source& source, http::Client& leg, const Framing& framing, CancelToken cancel) {
  MemoryNeed need;
  need.ceiling = settings_.memory;
  need.resident = resident_now() + warm_up;
  need.lanes = settings_.lanes;
  need.part_size = part;
  need.windows_fixed = http::can_fix_receive_buffer(largest_window);
  // Bytes leave in order, so lanes side by side can only fetch ahead, and that is worth it with rings as long as a
  // stripe.
  need.large_files = 1;
  Result<MemoryPlan> plan = plan_memory(need);
  if (!plan) co_return plan.error();
  leg.set_buffers({plan->receive_window, plan->send_buffer});
  Result<std::unique_ptr<RingPool>> pool = RingPool::make(plan->rings, plan->ring_bytes);
  if (!pool) co_return pool.error();
  HashWorkers hashers(world_.reactor, hash_threads());
  const Spout::Services services{world_.reactor, hashers, source, out_, world_.progress};
  Bytes all = 0;
  for (const Spout::Member& member : members_) all += member.range.size();
  const Bytes stripe = stripe_length(*plan, part, all);
  Spout spout(services, plan->lanes, **pool, stripe > 0 ? stripe : plan->ring_bytes, framing);
  Result<void> poured = co_await spout.pour(members_, cancel);
  co_return poured;
}

}  // namespace hfpour::run
