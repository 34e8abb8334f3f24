// SPDX-License-Identifier: MIT
#include "run/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>

#include "base/text.h"
#include "http/receive_buffer.h"
#include "hub/file_source.h"
#include "loop/deadline.h"
#include "loop/task_group.h"
#include "run/load.h"
#include "run/part_loop.h"
#include "run/wiring.h"
#include "s3/multipart_sink.h"
#include "s3/object_source.h"

namespace hfpour::run {
namespace {

constexpr Millis tick_interval{200};
/// Of a stored file, besides its name: 240 in the ledger, 24 in the job, up to 250 in the text of a checkpoint.
constexpr Bytes record_bytes = 512;
// After SIGTERM a run is gone within 10 s: aborts, the checkpoint (run/leftovers.cc), then the lease (run/turn.cc).
constexpr Millis tidy_grace{5'000};
constexpr Millis drop_deadline{2'500};

}  // namespace

Run::Run(const Settings& settings, Reactor& reactor, cli::Console& console, Progress& progress, Random& random)
    : settings_(settings),
      reactor_(reactor),
      console_(console),
      progress_(progress),
      random_(random),
      hub_leg_(reactor, make_leg(settings.hub_ca, hub_stall, console)),
      store_leg_(reactor, make_leg(settings.store_ca, store_stall, console)),
      keys_(settings.keys, settings.store_ca, World{reactor, console, progress, random}),
      hub_(hub_leg_, settings.hub_endpoint, settings.hf_token, console, random, settings.patience, progress),
      bucket_(store_leg_, settings.location, keys_.source(), console, random, settings.patience, progress),
      store_(bucket_, settings.base, settings.memory / 2),
      ledger_(reactor, store_),
      lease_(reactor, store_, random, this_process()) {
  outcome_.uri = settings.uri();
  outcome_.repo = settings.repo.id;
  outcome_.type = hub::to_string(settings.repo.type);
  outcome_.revision = settings.repo.revision;
}

Task<Result<void>> Run::go(CancelToken cancel) {
  Found found;
  Result<void> looked = co_await look(found, cancel);
  if (!looked) co_return looked;
  bool wanted = !is_there(found);
  if (wanted && settings_.lease_wait.count() > 0 && !settings_.dry_run) {
    Result<bool> turn = co_await take_turn(found, cancel);
    if (!turn) {
      co_await give_back();
      co_return turn.error();
    }
    wanted = *turn;
  }
  if (!wanted) {
    note_present(found);
    co_return Result<void>();
  }
  Result<void> done;
  if (lease_.held()) {
    done = co_await work_in_turn(found, cancel);
  } else {
    done = co_await work(found, cancel);
  }
  co_return done;
}

Task<Result<void>> Run::look(Found& found, CancelToken cancel) {
  found = Found();  // two listings at a time might be too much
  Result<Found> looked = co_await ledger_.look(settings_.identity(), settings_.refresh, cancel);
  if (!looked) co_return looked.error();
  found = *std::move(looked);
  for (const std::string& remark : found.remarks) console_.remark(remark);
  co_return Result<void>();
}

bool Run::is_there(const Found& found) const {
  return !settings_.refresh && found.satisfies(settings_.identity());
}

Task<Result<void>> Run::work(Found& found, CancelToken cancel) {
  Result<Work> work = co_await ask_hub(found, cancel);
  if (!work) co_return work.error();
  if (found.checkpoint) work->left = std::move(found.checkpoint->unfinished);
  found = Found();  // the listing of the bucket is not needed any more, and may be long
  Result<MemoryPlan> plan = plan_lanes(*work);
  if (!plan) co_return plan.error();
  if (plan->held_by_memory && plan->lanes < settings_.lanes) {
    console_.remark(fmt::format("--lanes {}: --memory {} has room for {}", settings_.lanes,
                                format_bytes(settings_.memory), plan->lanes));
  }
  console_.planned(plan_facts(*work, *plan));
  if (settings_.dry_run) {
    note_planned(*work);
    co_return Result<void>();
  }
  Result<void> poured = co_await pour(*work, *plan, cancel);
  co_return poured;
}

void Run::note_present(const Found& found) {
  outcome_.status = cli::Status::present;
  outcome_.commit = found.manifest->commit;
  outcome_.files = found.manifest->files.size();
  for (const Record& record : found.manifest->files) outcome_.bytes += record.file.size;
}

void Run::note_planned(const Work& work) {
  outcome_.status = cli::Status::planned;
  outcome_.files = work.files.size();
  for (const FileEntry& file : work.files) outcome_.bytes += file.size;
  outcome_.poured_files = work.to_pour.size();
  for (const FileEntry* const file : work.to_pour) outcome_.poured_bytes += file->size;
}

Task<Result<Run::Work>> Run::ask_hub(const Found& found, CancelToken cancel) {
  Result<hub::RepoInfo> info = co_await hub_.info(settings_.repo, room_for_listing(settings_.memory), cancel);
  if (!info) co_return info.error();
  info_ = *info;
  canonical_ = settings_.repo;
  canonical_.id = info_.id;
  outcome_.commit = info_.commit;
  if (info_.id != settings_.repo.id)
    console_.remark(fmt::format("'{}' is called '{}' today", settings_.repo.id, info_.id));
  Work work;
  const auto keep = [this](const FileEntry& file) { return settings_.selection.keeps(file.path); };
  Result<std::vector<FileEntry>> files =
      co_await hub_.list(canonical_, info_.commit, keep, room_for_listing(settings_.memory), cancel);
  if (!files) co_return files.error();
  work.files = std::move(*files);
  if (work.files.empty() && !settings_.repo.path.empty()) {
    co_return Error(Kind::not_found,
                    fmt::format("{} has no file '{}'", hub::to_string(canonical_), printable(settings_.repo.path)));
  }
  if (work.files.empty()) {
    co_return Error(Kind::empty_selection, fmt::format("no file of {} is selected by {}", hub::to_string(canonical_),
                                                       settings_.selection.describe()));
  }
  Result<void> harmless = check_paths(work.files);
  if (!harmless) co_return harmless.error();
  split(work, found);
  Result<void> allowed = co_await check_access(work, cancel);
  if (!allowed) co_return allowed.error();
  co_return std::move(work);  // moved, not copied: `to_pour` points into `files`
}

/// Paths from the Hub become keys: one that is not harmless ends the run before anything is written.
Result<void> Run::check_paths(const std::vector<FileEntry>& files) const {
  for (const FileEntry& file : files) {
    const Result<void> good = s3::check_key(settings_.base + file.path);
    if (!good) return Error(Kind::forbidden, good.error().sentence);
    if (file.path == ".hfpour" || file.path.starts_with(".hfpour/")) {
      return Error(Kind::forbidden,
                   "the repository has a file '" + printable(file.path) + "', where hfpour keeps its state");
    }
  }
  return {};
}

void Run::split(Work& work, const Found& found) const {
  for (const FileEntry& file : work.files) {
    if (const Record* const proof = found.proof(file)) {
      work.kept.push_back(*proof);
      continue;
    }
    work.to_pour.push_back(&file);
    const ListedObject* const there = found.object(file.path);
    if (there != nullptr && there->size == file.size && file.size > 0 && !found.recorded(file.path)) {
      work.unproven.push_back(Candidate{&file, there->etag});
    }
  }
}

/// A gated or private repository lists its files to many who may not read them: ask for one before any upload begins.
Task<Result<void>> Run::check_access(const Work& work, CancelToken cancel) {
  const bool closed = info_.is_private || info_.gated != hub::Gated::no;
  if (!closed) co_return Result<void>();
  for (const FileEntry* const file : work.to_pour) {
    if (file->size == 0) continue;
    const Result<hub::Link> link = co_await hub_.resolve(canonical_, info_.commit, *file, false, cancel);
    if (!link) co_return link.error();
    break;
  }
  co_return Result<void>();
}

Result<MemoryPlan> Run::plan_lanes(const Work& work) const {
  MemoryNeed need;
  need.ceiling = settings_.memory;
  // What is recorded of each stored file (hash, ETag, sums of the parts) is written while the rings still stand.
  Bytes records = 0;
  for (const FileEntry& file : work.files)
    records += record_bytes + 2 * file.path.size() + std::min<Bytes>(file.size / settings_.part_size, 10'000) * 120;
  need.resident = resident_now() + warm_up + records;
  need.lanes = settings_.lanes;
  need.part_size = settings_.part_size;
  need.windows_fixed = http::can_fix_receive_buffer(largest_window);
  need.plain_source = settings_.hub_endpoint.starts_with("http:");
  for (const FileEntry* const file : work.to_pour) {
    ++(file->size > settings_.part_size ? need.large_files : need.small_files);
  }
  return plan_memory(need);
}

PlanFacts Run::plan_facts(const Work& work, const MemoryPlan& plan) const {
  PlanFacts facts;
  facts.files = work.files.size();
  for (const FileEntry& file : work.files) facts.bytes += file.size;
  facts.present_files = work.kept.size();
  for (const Record& record : work.kept) facts.present_bytes += record.file.size;
  facts.commit = info_.commit;
  facts.lanes = plan.lanes;
  facts.rings = plan.rings;
  facts.ring_bytes = plan.ring_bytes;
  return facts;
}

Task<Result<void>> Run::pour(Work& work, const MemoryPlan& plan, CancelToken cancel) {
  outcome_.files = work.files.size();
  for (const FileEntry& file : work.files) outcome_.bytes += file.size;
  progress_.total_files = work.to_pour.size();
  for (const FileEntry* const file : work.to_pour) progress_.total_bytes += file->size;
  work.kept.reserve(work.files.size());  // a list that grows by doubling would hold three times as much at times
  ledger_.begin(settings_.identity(), info_.commit, std::move(work.kept), work.left);

  Result<void> moved = co_await tidy(work, cancel);
  if (moved) {
    moved = co_await move_bytes(work, plan, cancel);
  }
  outcome_.poured_files = progress_.done_files - progress_.adopted_files;
  outcome_.poured_bytes = progress_.stored_bytes - progress_.adopted_bytes - progress_.resumed_bytes;
  outcome_.limit = cli::main_limit(progress_.samples);
  if (moved && lease_.held()) moved = co_await lease_.confirm(cancel);
  if (lease_.lost()) {  // the checkpoint and the manifest are another run's now
    Deadline deadline(reactor_, drop_deadline);
    co_await drop_unnoted(deadline.token());
    co_return moved;
  }
  if (!moved) {
    co_await save_what_is_done();
    co_return moved;
  }
  Result<void> sealed = co_await ledger_.seal(cancel);
  if (sealed) {
    outcome_.status = cli::Status::poured;
  } else if (!lease_.lost()) {
    co_await save_what_is_done();
  }
  co_return sealed;
}

Task<Result<void>> Run::move_bytes(Work& work, const MemoryPlan& plan, CancelToken cancel) {
  if (work.to_pour.empty()) co_return Result<void>();
  hub_leg_.set_buffers({.receive_window = plan.receive_window,
                        .copy = plan.copy_buffer,
                        .wide_window = largest_window,
                        .wide_windows = plan.wide_windows});
  // Objects are read back over the store's leg when files are adopted: one stream a lane there, too.
  store_leg_.set_buffers(
      {.receive_window = plan.receive_window, .send_buffer = plan.send_buffer, .copy = plan.copy_buffer});
  Result<std::unique_ptr<RingPool>> pool = RingPool::make(plan.rings, plan.ring_bytes);
  if (!pool) co_return pool.error();
  const PartLoop part_loop(reactor_, store_leg_.leg(), bucket_);
  HashWorkers hashers(reactor_, hash_threads());
  hub::FileSource source(hub_, canonical_, info_.commit);
  s3::ObjectSource readback(bucket_, settings_.base);
  s3::MultipartSink sink(bucket_, settings_.base, s3::ObjectNotes{canonical_.id, info_.commit}, settings_.check_md5);
  // Who says how many lanes there should be knows better than what could be found out.
  Pace pace({settings_.lanes > 0 ? plan.lanes : std::min(plan.lanes, first_lanes), plan.lanes}, console_, progress_);
  Grace tidying(reactor_, cancel, tidy_grace);
  const auto services_with = [&](Source& from) {
    return Services{reactor_,           hashers,        from,    sink, ledger_,
                    console_,           progress_,      random_, pace, settings_.check_md5,
                    settings_.patience, tidying.token()};
  };
  const Services checking = services_with(readback);
  const Services pouring = services_with(source);
  CancelSource beside(cancel);
  TaskGroup group(reactor_.ready(), cancel);
  group.spawn(adopt_and_pour(work, plan, checking, pouring, **pool, beside, group.token()));
  group.spawn(keep_ticking(part_loop.loops(), beside.token()));
  group.spawn(ledger_.keep_checkpoint(beside.token()));
  Result<void> done = co_await group.join();
  co_return done;
}

/// The work itself; then ends what runs beside it.
Task<Result<void>> Run::adopt_and_pour(Work& work, const MemoryPlan& plan, const Services& checking,
                                       const Services& pouring, const RingPool& pool, CancelSource& beside,
                                       CancelToken cancel) {
  Result<void> done = co_await adopt(work, checking, pool, cancel);
  if (done) {
    done = co_await resume_and_pour(work, plan, pouring, pool, cancel);
  }
  beside.cancel();
  co_return done;
}

Task<Result<void>> Run::resume_and_pour(Work& work, const MemoryPlan& plan, const Services& services,
                                        const RingPool& pool, CancelToken cancel) {
  Resumption resumption(services, work.to_pour, std::move(work.left), settings_.part_size);
  Result<Leftovers> left = co_await resumption.run(cancel);
  if (!left) co_return left.error();
  for (const auto& [file, upload] : *left) {
    if (upload.parts.empty()) continue;
    console_.remark(fmt::format("going on with '{}' at {} of {}", printable(file->path), format_bytes(upload.hashed()),
                                format_bytes(file->size)));
  }
  Job job(services, work.to_pour, plan, settings_.part_size, pool, *std::move(left));
  job_ = &job;
  ledger_.follow([&job] { return job.unfinished(); });
  Result<void> done = co_await job.run(cancel);
  ledger_.rest(job.unfinished());
  job_ = nullptr;
  co_return done;
}

/// Looks at the lanes and shows the progress, five times a second.
Task<Result<void>> Run::keep_ticking(std::vector<const Reactor*> loops, CancelToken cancel) {
  Load load(std::move(loops), usable_cores());
  while (!cancel.cancelled()) {
    const double now = load.look();
    if (job_ != nullptr) job_->sample(now);
    console_.tick(reactor_.clock().now());
    co_await reactor_.sleep(tick_interval, cancel);
  }
  co_return Result<void>();
}

/// Files that another tool put there are checked and kept instead of being fetched again.
Task<Result<void>> Run::adopt(Work& work, const Services& services, const RingPool& pool, CancelToken cancel) {
  if (work.unproven.empty()) co_return Result<void>();
  console_.remark(
      fmt::format("{} of the files lie there without a record: checking them in the bucket", work.unproven.size()));
  Adoption adoption(services, work.unproven, settings_.part_size, pool);
  Result<std::vector<const FileEntry*>> right = co_await adoption.run(cancel);
  if (!right) co_return right.error();
  const std::unordered_set<const FileEntry*> stays(right->begin(), right->end());
  std::erase_if(work.to_pour, [&stays](const FileEntry* file) { return stays.contains(file); });
  console_.remark(fmt::format("{} of them are right and stay", stays.size()));
  co_return Result<void>();
}

}  // namespace hfpour::run
