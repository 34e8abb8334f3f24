// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "buffer/ring_pool.h"
#include "loop/task_group.h"
#include "transfer/lane.h"
#include "transfer/memory_plan.h"
#include "transfer/resumption.h"
#include "transfer/services.h"
#include "transfer/transfer.h"

namespace hfpour {

/// Pours many files: deals pieces of them to lanes, finishes each file once its last piece has passed, and tells the
/// records, the observer and the progress.
///
/// A file whose bytes are wrong is tried once more from fresh addresses, then failed; the other files go on. Trouble
/// that would meet every file (credentials, quota, a dead end of the pipe) stops the job; what was stored of unfinished
/// files by then is kept for a later run, unless the store is full. Loop thread.
class Job {
 public:
  /// `files` and `services` outlive the job. `pool` has the rings of `plan`, which are lent to its lanes. `left` is
  /// what there is already of some files.
  Job(const Services& services, const std::vector<const FileEntry*>& files, const MemoryPlan& plan, Bytes part_size,
      const RingPool& pool, Leftovers left = {});
  ~Job();

  /// Errors: what stopped the job, else the gravest failure of a file, else the token's.
  Task<Result<void>> run(CancelToken cancel);

  /// What a later run could go on with if this one ended now, or now that it has ended.
  std::vector<UnfinishedFile> unfinished() const;

  /// Adds one look at each busy lane to the progress: the answer to "what limits this run?". Sets the pace.
  /// `load`: how full the cores are, 0 to 1. To be called a few times a second.
  void sample(double load);

 private:
  struct File;
  /// A file with pieces not yet dealt. Small, as there may be 100,000: the rest comes with the first piece.
  struct Waiting {
    const FileEntry* entry = nullptr;
    Bytes stripe = 0;      ///< length of a piece, whole parts; the file's size when it is poured in one
    File* file = nullptr;  ///< null until the first piece is dealt
  };
  struct Piece {
    File* file = nullptr;
    ByteRange range;
  };

  Result<void> plan_files();
  std::deque<Waiting>::iterator next_file();
  File& open(const Waiting& waiting);
  std::optional<Piece> take_piece();
  Task<Result<void>> work(unsigned index, CancelToken cancel);
  Task<Result<void>> pour(Piece piece, Lane& lane);
  Task<Result<void>> settle(File& file, Result<void> poured);
  Task<void> leave_open_files(std::optional<Error> why);
  Task<void> leave(File& file, Kind why);
  Result<void> conclude(File& file, Result<StoredFile> stored);
  void start(File& file, CancelToken cancel);
  void restart(File& file);
  bool is_small(const FileEntry& entry) const { return entry.size <= plan_.ring_bytes && entry.size <= part_size_; }

  const Services& services_;
  const std::vector<const FileEntry*>& entries_;
  MemoryPlan plan_;
  Bytes part_size_;
  Leftovers left_;  ///< of files that are not begun
  RingLender rings_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<File>> files_;  ///< begun and not ended, or ended with something left for a later run
  std::deque<Waiting> waiting_;
  std::size_t unfinished_ = 0;
  Condition changed_;
  bool stopping_ = false;  ///< an error was met that ends the job
  std::optional<Error> gravest_;
};

}  // namespace hfpour
