// SPDX-License-Identifier: MIT
#include "transfer/adoption.h"

#include "loop/task_group.h"

namespace hfpour {

Adoption::Adoption(const Services& services, std::vector<Candidate> candidates, Bytes part_size, const RingPool& pool)
    : services_(services), candidates_(std::move(candidates)), part_size_(part_size), rings_(pool) {
  for (std::size_t i = 0; i < pool.count(); ++i) lanes_.push_back(std::make_unique<Lane>(rings_));
}

Task<Result<std::vector<const FileEntry*>>> Adoption::run(CancelToken cancel) {
  TaskGroup group(services_.reactor.ready(), cancel);
  for (const auto& lane : lanes_) group.spawn(work(*lane, group.token()));
  Result<void> joined = co_await group.join();
  if (!joined) co_return joined.error();
  co_return std::move(adopted_);
}

Task<Result<void>> Adoption::work(Lane& lane, CancelToken cancel) {
  while (next_ < candidates_.size()) {
    const Candidate candidate = candidates_[next_++];
    Result<PartPlan> parts = plan_parts(candidate.file->size, part_size_, services_.sink.limits());
    if (!parts) continue;
    const SteadyTime begun = services_.reactor.clock().now();
    Transfer transfer(services_, *candidate.file, *parts);
    lane.enter();
    Result<StoredFile> checked = co_await transfer.check(lane, cancel);
    lane.leave();
    if (cancel.cancelled()) co_return cancel.error();
    if (!checked) continue;
    checked->etag = candidate.etag;
    note(*candidate.file, begun, std::move(*checked));
  }
  co_return Result<void>();
}

void Adoption::note(const FileEntry& file, SteadyTime begun, StoredFile facts) {
  Progress& progress = services_.progress;
  ++progress.done_files;
  ++progress.adopted_files;
  progress.stored_bytes += file.size;
  progress.adopted_bytes += file.size;
  FileFacts shown{file.path, file.size,  std::chrono::duration_cast<Millis>(services_.reactor.clock().now() - begun),
                  file.hash, facts.etag, 0,
                  0,         true};
  services_.observer.file_done(shown);
  services_.records.stored(file, std::move(facts));
  adopted_.push_back(&file);
}

}  // namespace hfpour
