// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "transfer/lane.h"
#include "transfer/ordered_hash.h"
#include "transfer/part_plan.h"
#include "transfer/part_state.h"
#include "transfer/pass.h"
#include "transfer/services.h"
#include "transfer/unfinished.h"

namespace hfpour {

/// One file on its way: begun, poured in one or more stripes, then finished or abandoned.
///
///     (fresh) ── pour ──► upload open ── pour … ──► all stripes poured ── finish ──► visible
///     (earlier run) ─ resume ─┘ │
///                               └── any failure ──┬─ abandon ──► nothing left behind
///                                                 └─ unfinished ──► for a later run
///
/// `finish` is the gate: nothing is completed before byte count and hash are right. Loop thread.
class Transfer {
 public:
  Transfer(const Services& services, const FileEntry& entry, PartPlan plan);

  /// Goes on with what an earlier run left, which `Resumption` has found to be good. First of all; the first byte to be
  /// poured is then the one at `left.hashed()`.
  void resume(const Unfinished& left);

  /// What a later run could go on with; nothing before the upload is begun.
  std::optional<Unfinished> unfinished() const;

  /// Pours whole parts through `lane`; stripes of one file may run side by side on different lanes. The first one
  /// begins the upload. Parts whose upload failed are fetched again before it returns.
  Task<Result<void>> pour(ByteRange stripe, Lane& lane, CancelToken cancel);

  /// After every stripe: verifies the hash, completes the upload. Errors: `integrity` with both digests; the sink's.
  Task<Result<StoredFile>> finish(CancelToken cancel);

  /// A file that fits into the ring: received whole, verified, then stored by one request.
  Task<Result<StoredFile>> pour_whole(Lane& lane, CancelToken cancel);

  /// Reads the file from a source that is the bucket itself and stores nothing: what is known of it if its bytes are
  /// right. Errors: `integrity` if they are not; the source's.
  Task<Result<StoredFile>> check(Lane& lane, CancelToken cancel);

  /// Drops the upload, if one was begun, under a deadline of its own.
  Task<void> abandon();

  unsigned retries() const { return retries_; }

 private:
  Task<Result<void>> begin(CancelToken cancel);
  Task<Result<void>> repair(std::vector<unsigned> numbers, Lane& lane, UploadLuck& luck, CancelToken cancel);
  UploadLuck new_luck() const {
    return UploadLuck{Backoff(services_.patience, services_.random, services_.reactor.clock())};
  }
  PassFile pass_file() { return PassFile{entry_, plan_, parts_, hash_, upload_id_, retries_}; }
  std::string expected_etag() const;

  const Services& services_;
  const FileEntry& entry_;
  PartPlan plan_;
  OrderedHash hash_;
  std::vector<PartState> parts_;
  std::string upload_id_;
  bool beginning_ = false;
  std::optional<Error> begin_error_;
  Condition begun_;
  unsigned retries_ = 0;
  std::vector<unsigned> missing_;  ///< parts that an earlier run hashed, and that the store does not have
  Bytes resumed_ = 0;              ///< stored by an earlier run
};

}  // namespace hfpour
