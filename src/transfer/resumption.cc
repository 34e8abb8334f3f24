// SPDX-License-Identifier: MIT
#include "transfer/resumption.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "loop/task_group.h"
#include "transfer/ordered_hash.h"
#include "transfer/part_plan.h"
#include "transfer/part_state.h"

namespace hfpour {
namespace {

constexpr unsigned side_by_side = 8;

/// Forgets the receipt of every part that the sink does not hold as noted.
void keep_what_is_held(const FileEntry& file, Unfinished& upload, const std::vector<HeldPart>& held) {
  std::map<unsigned, const HeldPart*> by_number;
  for (const HeldPart& part : held) by_number[part.number] = &part;
  const PartPlan plan{file.size, upload.part_size};
  for (unsigned number = 1; number <= upload.parts.size(); ++number) {
    HashedPart& noted = upload.parts[number - 1];
    const auto there = by_number.find(number);
    const bool same = there != by_number.end() && there->second->size == plan.range(number).size() &&
                      bare_etag(there->second->etag) == bare_etag(noted.etag);
    if (!same) noted.etag.clear();
  }
}

}  // namespace

Resumption::Resumption(const Services& services, const std::vector<const FileEntry*>& files,
                       std::vector<UnfinishedFile> left, Bytes part_size)
    : services_(services), part_size_(part_size) {
  std::map<std::string_view, const FileEntry*> by_path;
  if (!left.empty()) {
    for (const FileEntry* const file : files) by_path[file->path] = file;
  }
  for (UnfinishedFile& one : left) {
    const auto wanted = by_path.find(one.file.path);
    if (wanted == by_path.end()) continue;
    const bool same = wanted->second->size == one.file.size && wanted->second->hash == one.file.hash;
    if (!same) one.upload.part_size = 0;  // bytes of another revision
    items_.push_back(Item{wanted->second, std::move(one.upload)});
  }
}

Task<Result<Leftovers>> Resumption::run(CancelToken cancel) {
  TaskGroup group(services_.reactor.ready(), cancel);
  for (unsigned i = 0; i < std::min<std::size_t>(side_by_side, items_.size()); ++i) group.spawn(work(group.token()));
  Result<void> joined = co_await group.join();
  if (!joined) co_return joined.error();
  co_return std::move(good_);
}

Task<Result<void>> Resumption::work(CancelToken cancel) {
  while (next_ < items_.size()) {
    if (cancel.cancelled()) co_return cancel.error();
    Result<void> settled = co_await settle(std::move(items_[next_++]), cancel);
    if (!settled) co_return settled;
  }
  co_return Result<void>();
}

Task<Result<void>> Resumption::settle(Item item, CancelToken cancel) {
  const std::optional<std::string> why = doubt(item);
  if (why) {
    co_await refuse(std::move(item), *why, cancel);
    co_return Result<void>();
  }
  Result<std::vector<HeldPart>> held = co_await services_.sink.parts(*item.file, item.upload.upload_id, cancel);
  if (!held && held.error().kind == Kind::expired) co_return Result<void>();
  if (!held && held.error().kind == Kind::forbidden) {
    co_await refuse(std::move(item), held.error().sentence, cancel);
    co_return Result<void>();
  }
  if (!held) co_return held.error();
  keep_what_is_held(*item.file, item.upload, *held);
  good_.emplace(item.file, std::move(item.upload));
  co_return Result<void>();
}

/// Why the notes cannot be gone on with; nothing when they can, as far as they tell themselves.
std::optional<std::string> Resumption::doubt(const Item& item) const {
  const Unfinished& upload = item.upload;
  if (upload.part_size == 0) return "its content is another one by now";
  const Result<PartPlan> plan = plan_parts(item.file->size, part_size_, services_.sink.limits());
  if (!plan || plan->part_size != upload.part_size) return "its parts were of another size";
  if (plan->count() < 2) return "it is sent in one piece by now";
  if (upload.upload_id.empty() || upload.parts.size() >= plan->count()) return "the notes of it make no sense";
  if (!OrderedHash(*item.file).resume(upload.hashed(), upload.hash)) return "its hash cannot be gone on with";
  return std::nullopt;
}

Task<void> Resumption::refuse(Item item, std::string why, CancelToken cancel) {
  services_.observer.remark("'" + printable(item.file->path) + "' is begun anew: " + why);
  if (item.upload.upload_id.empty()) co_return;
  // Left behind, it would be billed; not being able to drop it is no reason not to pour.
  const Result<void> dropped = co_await services_.sink.abort(*item.file, item.upload.upload_id, cancel);
  (void)dropped;
}

}  // namespace hfpour
