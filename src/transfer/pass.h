// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "transfer/lane.h"
#include "transfer/ordered_hash.h"
#include "transfer/part_plan.h"
#include "transfer/part_state.h"
#include "transfer/services.h"

namespace hfpour {

/// How the uploads of one stripe have fared, over all its passes.
struct UploadLuck {
  Backoff backoff;
  SteadyTime not_before{};  ///< the store asked for, or deserves, a pause
};

/// What the passes of one file share.
struct PassFile {
  const FileEntry& entry;
  const PartPlan& plan;
  std::vector<PartState>& parts;  ///< by part number - 1
  OrderedHash& hash;
  const std::string& upload_id;
  unsigned& retries;
};

/// One range of whole parts, once through a lane's ring: received, hashed and sent side by side.
///
///     source ──► inlet (XXH3 in) ──► ring ──► hash worker (file hash, in file order)
///                                        ├──► hash worker (MD5 of the part)
///                                        └──► outlet (XXH3 out) ──► UploadPart
///
/// A part whose upload fails is dropped from the ring and noted, so the stream and the hash go on; the caller fetches
/// it again with another pass. Loop thread; the bytes are lent to a hash worker meanwhile.
class Pass {
 public:
  enum class Kind {
    first,   ///< these bytes have not been seen yet: they go into the file's hash and up
    repair,  ///< fetched again: they must equal what was seen the first time
    retain,  ///< into the hash; nothing goes up, the bytes stay in the ring
    check,   ///< into the hash; nothing goes up, the bytes are dropped
  };

  Pass(const Services& services, PassFile file, Lane& lane, ByteRange range, Kind kind, UploadLuck& luck);

  /// Ends when all bytes have passed and all uploads are answered. Errors: the source's; a final one of the sink;
  /// `integrity` when repeated bytes differ; `internal` when the ring gave out other bytes than were put in.
  Task<Result<void>> run(CancelToken cancel);

  /// Parts to be fetched again.
  const std::vector<unsigned>& failed_parts() const { return failed_; }

 private:
  class PartInlet;
  class PartOutlet;

  Task<Result<void>> receive(CancelToken cancel);
  Task<Result<void>> wait_for_bite(Ring::Reader reader, Bytes left, CancelToken cancel);
  Task<Result<void>> hash_file(CancelToken cancel);
  Task<Result<void>> sum_parts(CancelToken cancel);
  Task<Result<void>> send(CancelToken cancel);
  Task<Result<void>> send_part(unsigned number, CancelToken cancel);
  Task<Result<void>> wait_to_send(CancelToken cancel);
  Task<Result<void>> discard(PartOutlet& outlet, CancelToken cancel);
  Task<Result<void>> judge(unsigned number, PartOutlet& outlet, Result<PartReceipt> answer, CancelToken cancel);
  Result<void> note_failure(unsigned number, Error error);
  Result<void> note_received(unsigned number, const Xxh3::Value& value);
  void part_given(unsigned number);
  PartState& state(unsigned number) { return file_.parts[number - 1]; }
  std::string name_of(unsigned number) const;
  std::vector<Ring::Reader> readers() const;
  bool hashes() const { return kind_ != Kind::repair; }
  /// A small file is sent with its MD5 in any case, so that the store can refuse what is not the same.
  bool sums() const { return kind_ == Kind::retain || (uploads() && services_.check_md5); }
  bool uploads() const { return kind_ == Kind::first || kind_ == Kind::repair; }

  const Services& services_;
  PassFile file_;
  Lane& lane_;
  ByteRange range_;
  Kind kind_;
  std::optional<Error> inlet_error_;
  Condition part_summed_;
  Condition part_given_;
  Condition answered_;
  unsigned giving_ = 0;     ///< the part whose bytes are leaving the ring now
  unsigned under_way_ = 0;  ///< uploads begun and not yet answered
  UploadLuck& luck_;
  std::vector<unsigned> failed_;
};

}  // namespace hfpour
