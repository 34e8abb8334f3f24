// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cli/console.h"
#include "cli/format.h"
#include "http/client.h"
#include "hub/hub_client.h"
#include "ledger/lease.h"
#include "ledger/ledger.h"
#include "run/settings.h"
#include "run/store_keys.h"
#include "s3/bucket.h"
#include "s3/object_store.h"
#include "transfer/adoption.h"
#include "transfer/job.h"
#include "transfer/memory_plan.h"

namespace hfpour::run {

/// One run: is it there already? what does the Hub have? pour what is missing, write the manifest. Wires the adapters
/// to the core; decides nothing about single bytes. Loop thread.
class Run {
 public:
  /// Everything lent here outlives the run.
  Run(const Settings& settings, Reactor& reactor, cli::Console& console, Progress& progress, Random& random);

  /// Fills `outcome` as it goes, so that a failure says how far it came. Errors: the one that ended the run.
  Task<Result<void>> go(CancelToken cancel);

  const cli::Outcome& outcome() const { return outcome_; }

 private:
  /// The listing, split into what the bucket already holds and what must be moved.
  struct Work {
    std::vector<FileEntry> files;
    std::vector<const FileEntry*> to_pour;
    std::vector<Candidate> unproven;  ///< of `to_pour`: of the right size in the bucket, but nobody recorded them
    std::vector<Record> kept;
    std::vector<UnfinishedFile> left;  ///< of an earlier run, as its checkpoint says
  };

  Task<Result<void>> look(Found& found, CancelToken cancel);
  bool is_there(const Found& found) const;
  Task<Result<bool>> take_turn(Found& found, CancelToken cancel);
  Task<Result<void>> work_in_turn(Found& found, CancelToken cancel);
  Task<void> give_back();
  Task<Result<void>> work_and_end(Found& found, CancelSource& beside, CancelToken cancel);
  Task<Result<void>> work(Found& found, CancelToken cancel);
  void note_present(const Found& found);
  void note_planned(const Work& work);
  Task<Result<Work>> ask_hub(const Found& found, CancelToken cancel);
  Result<void> check_paths(const std::vector<FileEntry>& files) const;
  void split(Work& work, const Found& found) const;
  Task<Result<void>> check_access(const Work& work, CancelToken cancel);
  Result<MemoryPlan> plan_lanes(const Work& work) const;
  Task<Result<void>> pour(Work& work, const MemoryPlan& plan, CancelToken cancel);
  Task<Result<void>> adopt(Work& work, const Services& services, const RingPool& pool, CancelToken cancel);
  Task<Result<void>> adopt_and_pour(Work& work, const MemoryPlan& plan, const Services& checking,
                                    const Services& pouring, const RingPool& pool, CancelSource& beside,
                                    CancelToken cancel);
  Task<Result<void>> resume_and_pour(Work& work, const MemoryPlan& plan, const Services& services, const RingPool& pool,
                                     CancelToken cancel);
  Task<Result<void>> tidy(Work& work, CancelToken cancel);
  Task<Result<void>> sweep(const std::vector<UnfinishedFile>& claimed, std::vector<UnfinishedFile>& others,
                           CancelToken cancel);
  Task<Result<void>> keep_ticking(std::vector<const Reactor*> loops, CancelToken cancel);
  Task<Result<void>> move_bytes(Work& work, const MemoryPlan& plan, CancelToken cancel);
  Task<void> save_what_is_done();
  Task<void> drop_unnoted(CancelToken cancel);
  Task<Result<void>> drop(UnfinishedFile unnoted, CancelToken cancel);
  PlanFacts plan_facts(const Work& work, const MemoryPlan& plan) const;

  const Settings& settings_;
  Reactor& reactor_;
  cli::Console& console_;
  Progress& progress_;
  Random& random_;
  http::Client hub_leg_;
  http::Client store_leg_;
  StoreKeys keys_;
  hub::HubClient hub_;
  s3::Bucket bucket_;
  s3::ObjectStore store_;
  Ledger ledger_;
  Lease lease_;
  Job* job_ = nullptr;      ///< while it runs
  hub::RepoRef canonical_;  ///< the name the Hub uses today
  hub::RepoInfo info_;
  cli::Outcome outcome_;
};

}  // namespace hfpour::run
