// SPDX-License-Identifier: MIT
#include "transfer/job.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "loop/deadline.h"

namespace hfpour {
namespace {

/// Trouble of one file; any other kind would meet the next file as well.
bool concerns_one_file(Kind kind) {
  return kind == Kind::integrity || kind == Kind::not_found || kind == Kind::protocol || kind == Kind::expired;
}

/// Which of two failures the exit status should tell of.
bool graver(Kind a, Kind b) {
  const auto rank = [](Kind kind) { return kind == Kind::cancelled ? 0 : kind == Kind::integrity ? 2 : 1; };
  return rank(a) > rank(b);
}

/// Wrong bytes may come right from another edge; an upload that vanished can be begun anew.
bool worth_another_try(Kind kind) {
  return kind == Kind::integrity || kind == Kind::expired;
}

/// Trouble after which a later run may go on where this one was. Wrong bytes are not, and a full store needs the room.
bool worth_keeping(Kind kind) {
  switch (kind) {
    case Kind::cancelled:
    case Kind::forbidden:
    case Kind::throttled:
    case Kind::unavailable:
    case Kind::network:
    case Kind::timeout: return true;
    default: return false;
  }
}

constexpr unsigned tries_per_file = 2;  // contract hub §5.4: redo the file once, then fail loudly

}  // namespace

/// One file of the job and how far its pieces are dealt.
struct Job::File {
  File(const FileEntry& e, PartPlan p, Bytes stripe_bytes) : entry(e), parts(p), stripe(stripe_bytes) {}

  const FileEntry& entry;
  PartPlan parts;
  Bytes stripe;  ///< as in `Waiting`
  Bytes dealt = 0;
  unsigned active = 0;
  unsigned tries = 0;
  unsigned retries = 0;
  SteadyTime begun;
  std::unique_ptr<Transfer> transfer;
  std::optional<Unfinished> left;  ///< before the transfer: of an earlier run; after it: for a later one
  std::unique_ptr<CancelSource> cancel;
  std::optional<StoredFile> stored_whole;
  std::optional<Error> error;
  bool ended = false;  ///< stored, or failed for good
};

Job::Job(const Services& services, const std::vector<const FileEntry*>& files, const MemoryPlan& plan, Bytes part_size,
         const RingPool& pool, Leftovers left)
    : services_(services), entries_(files), plan_(plan), part_size_(part_size), left_(std::move(left)), rings_(pool) {
  for (unsigned i = 0; i < plan.lanes; ++i) lanes_.push_back(std::make_unique<Lane>(rings_));
}

Job::~Job() = default;

Task<Result<void>> Job::run(CancelToken cancel) {
  Result<void> planned = plan_files();
  if (!planned) co_return planned;
  {
    TaskGroup group(services_.reactor.ready(), cancel);
    for (unsigned i = 0; i < lanes_.size(); ++i) group.spawn(work(i, group.token()));
    Result<void> joined = co_await group.join();
    if (!joined) gravest_ = joined.error();
    std::optional<Error> why = gravest_;
    if (cancel.cancelled()) why = cancel.error();
    co_await leave_open_files(std::move(why));
  }
  if (cancel.cancelled()) co_return cancel.error();
  if (gravest_) co_return *gravest_;
  co_return Result<void>();
}

/// When the job stops between two stripes of a file, no lane is left that would settle it.
Task<void> Job::leave_open_files(std::optional<Error> why) {
  for (const auto& file : files_) {
    if (file->transfer) co_await leave(*file, why ? why->kind : Kind::internal);
    file->transfer.reset();
    file->cancel.reset();
    if (file->left) left_.emplace(&file->entry, *std::exchange(file->left, std::nullopt));
  }
  files_.clear();
  if (!why || why->kind != Kind::quota) co_return;
  // The store is full: the room is needed.
  for (auto left = left_.begin(); left != left_.end();) {
    Deadline deadline(services_.reactor, abort_deadline, services_.last_call);
    const Result<void> aborted = co_await services_.sink.abort(*left->first, left->second.upload_id, deadline.token());
    left = aborted ? left_.erase(left) : std::next(left);
  }
}

/// Keeps what is stored of a file for a later run if that makes sense, else drops it.
Task<void> Job::leave(File& file, Kind why) {
  file.left = worth_keeping(why) ? file.transfer->unfinished() : std::nullopt;
  if (file.left && file.left->parts.empty()) file.left.reset();
  if (!file.left) co_await file.transfer->abandon();
}

std::vector<UnfinishedFile> Job::unfinished() const {
  std::vector<UnfinishedFile> all;
  for (const auto& [entry, left] : left_) all.push_back(UnfinishedFile{*entry, left});
  for (const auto& file : files_) {
    std::optional<Unfinished> one = file->transfer ? file->transfer->unfinished() : file->left;
    if (one) all.push_back(UnfinishedFile{file->entry, *std::move(one)});
  }
  return all;
}

/// Large files first. When the last round of them would leave lanes idle, those are cut into stripes, if a ring can
/// hold at least one part: a lane that is ahead of the file's hash must be able to keep what it fetched.
Result<void> Job::plan_files() {
  std::vector<const FileEntry*> sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->size > b->size; });
  const auto large = static_cast<std::size_t>(
      std::count_if(sorted.begin(), sorted.end(), [this](const auto* entry) { return !is_small(*entry); }));
  const std::size_t whole = large - large % lanes_.size();
  Bytes cut_bytes = 0;
  for (std::size_t i = whole; i < large; ++i) cut_bytes += sorted[i]->size;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const FileEntry& entry = *sorted[i];
    Result<PartPlan> parts = plan_parts(entry.size, part_size_, services_.sink.limits());
    if (!parts) return parts.error().at(printable(entry.path));
    const Bytes fitting = stripe_length(plan_, parts->part_size, cut_bytes);
    const bool striped = i >= whole && i < large && fitting > 0;
    waiting_.push_back(Waiting{&entry, striped ? fitting : std::max<Bytes>(entry.size, 1)});
  }
  unfinished_ = waiting_.size();
  return {};
}

/// Which file the next piece is of: the first that waits; of several that are cut into stripes the one with the fewest
/// lanes, since each file's hash is work for one core.
std::deque<Job::Waiting>::iterator Job::next_file() {
  const auto is_striped = [](const Waiting& one) { return one.stripe < one.entry->size; };
  const auto lanes = [](const Waiting& one) { return one.file == nullptr ? 0 : one.file->active; };
  const auto end = std::find_if_not(waiting_.begin(), waiting_.end(), is_striped);
  if (end == waiting_.begin()) return end;
  return std::ranges::min_element(waiting_.begin(), end, {}, lanes);
}

Job::File& Job::open(const Waiting& waiting) {
  // That there is a plan was seen in `plan_files`.
  const PartPlan parts = *plan_parts(waiting.entry->size, part_size_, services_.sink.limits());
  File& file = *files_.emplace_back(std::make_unique<File>(*waiting.entry, parts, waiting.stripe));
  if (auto left = left_.extract(waiting.entry); !left.empty()) {
    file.left = std::move(left.mapped());
    file.dealt = file.left->hashed();
  }
  return file;
}

std::optional<Job::Piece> Job::take_piece() {
  if (waiting_.empty()) return std::nullopt;
  const auto next = next_file();
  if (next->file == nullptr) next->file = &open(*next);
  File& file = *next->file;
  const Bytes end = std::min(file.entry.size, file.dealt + file.stripe);
  const ByteRange range{file.dealt, end};
  file.dealt = end;
  if (file.dealt >= file.entry.size) waiting_.erase(next);
  ++file.active;
  return Piece{&file, range};
}

Task<Result<void>> Job::work(unsigned index, CancelToken cancel) {
  Lane& lane = *lanes_[index];
  while (unfinished_ > 0) {
    if (cancel.cancelled()) co_return cancel.error();
    const std::optional<Piece> piece = index < services_.pace.allowed() ? take_piece() : std::nullopt;
    if (!piece) {
      co_await changed_.wait(cancel);
      continue;
    }
    if (!piece->file->transfer) start(*piece->file, cancel);
    lane.busy = true;
    lane.enter();
    Result<void> poured = co_await pour(*piece, lane);
    lane.leave();
    Result<void> settled = co_await settle(*piece->file, std::move(poured));
    lane.busy = false;
    if (!settled) co_return settled;
  }
  co_return Result<void>();
}

void Job::start(File& file, CancelToken cancel) {
  if (file.begun == SteadyTime()) file.begun = services_.reactor.clock().now();
  file.transfer = std::make_unique<Transfer>(services_, file.entry, file.parts);
  if (file.left) {
    // Not a try of its own: what is wrong with it may be the notes of another run.
    file.transfer->resume(*std::exchange(file.left, std::nullopt));
  } else {
    ++file.tries;
  }
  file.cancel = std::make_unique<CancelSource>(cancel);
}

Task<Result<void>> Job::pour(Piece piece, Lane& lane) {
  File& file = *piece.file;
  if (!is_small(file.entry)) {
    Result<void> poured = co_await file.transfer->pour(piece.range, lane, file.cancel->token());
    co_return poured;
  }
  Result<StoredFile> stored = co_await file.transfer->pour_whole(lane, file.cancel->token());
  if (!stored) co_return stored.error();
  file.stored_whole = std::move(*stored);
  co_return Result<void>();
}

/// After each piece: the last one finishes or gives up the file. Errors: what must stop the whole job.
Task<Result<void>> Job::settle(File& file, Result<void> poured) {
  --file.active;
  if (!poured && !file.error) {
    file.error = poured.error();
    std::erase_if(waiting_, [&file](const Waiting& one) { return one.file == &file; });
    file.cancel->cancel(Error(Kind::cancelled, "another part of the file failed"));
  }
  if (file.active > 0 || (!file.error && file.dealt < file.entry.size)) co_return Result<void>();

  Result<StoredFile> stored = Error(Kind::internal, "not stored");
  if (file.error) {
    stored = *file.error;
  } else if (file.stored_whole) {
    stored = std::move(*file.stored_whole);
  } else {
    stored = co_await file.transfer->finish(file.cancel->token());
  }
  file.retries += file.transfer->retries();
  if (!stored) co_await leave(file, stored.error().kind);
  Result<void> concluded = conclude(file, std::move(stored));
  std::erase_if(files_, [&file](const auto& one) { return one.get() == &file && one->ended && !one->left; });
  co_return concluded;
}

Result<void> Job::conclude(File& file, Result<StoredFile> stored) {
  file.transfer.reset();
  file.cancel.reset();
  if (!stored && worth_another_try(stored.error().kind) && file.tries < tries_per_file) {
    ++services_.progress.retries;
    services_.observer.retrying(
        RetryFacts{"'" + printable(file.entry.path) + "'", stored.error(), std::max(1U, file.tries), Millis(0)});
    restart(file);
    return {};
  }
  --unfinished_;
  file.ended = true;
  services_.source.done(file.entry);
  changed_.notify();
  if (stored) {
    ++services_.progress.done_files;
    const Millis took = std::chrono::duration_cast<Millis>(services_.reactor.clock().now() - file.begun);
    const unsigned parts = stored->part_size == 0 ? 0 : file.parts.count();
    services_.observer.file_done(
        FileFacts{file.entry.path, file.entry.size, took, file.entry.hash, stored->etag, parts, file.retries});
    services_.records.stored(file.entry, std::move(*stored));
    return {};
  }
  const Error& error = stored.error();
  // When one thing stops the whole job, every lane meets it: told once.
  if (error.kind != Kind::cancelled && !stopping_) services_.observer.file_failed(file.entry.path, error);
  if (!concerns_one_file(error.kind)) {
    stopping_ = true;
    return error;
  }
  if (!gravest_ || graver(error.kind, gravest_->kind)) gravest_ = error;
  return {};
}

void Job::restart(File& file) {
  services_.source.distrust(file.entry);
  file.error.reset();
  file.stored_whole.reset();
  file.dealt = 0;
  waiting_.push_back(Waiting{&file.entry, file.stripe, &file});
  changed_.notify();
}

void Job::sample(double load) {
  const auto busy = static_cast<unsigned>(std::ranges::count_if(lanes_, [](const auto& lane) { return lane->busy; }));
  services_.pace.look(Pulse{services_.reactor.clock().now(), load, busy, !waiting_.empty()});
  changed_.notify();  // there may be room for one more lane
  for (const auto& lane : lanes_) {
    if (!lane->busy) continue;
    // What the lanes before these wait for is what counts.
    if (lane->ahead || lane->waits_for_memory()) continue;
    Limit limit = lane->waits_for();
    // Every lane waits for the source, and more memory would give more lanes: that is what holds the run back.
    if (limit == Limit::hub && plan_.held_by_memory && busy == lanes_.size()) limit = Limit::memory;
    if (load >= full_load) limit = Limit::cpu;
    ++services_.progress.samples[static_cast<std::size_t>(limit)];
  }
}

}  // namespace hfpour
