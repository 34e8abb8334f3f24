// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "buffer/ring_pool.h"
#include "transfer/services.h"
#include "transfer/transfer.h"

namespace hfpour {

/// An object of the right name and size that nobody has a record of.
struct Candidate {
  const FileEntry* file = nullptr;
  std::string etag;  ///< as listed
};

/// Checks files that another tool may have stored: reads them back from the bucket, side by side, one per lane. Those
/// whose bytes match their hash are recorded, shown and counted as done; the others are left for a `Job`. Loop thread.
class Adoption {
 public:
  /// `services.source` reads the bucket.
  Adoption(const Services& services, std::vector<Candidate> candidates, Bytes part_size, const RingPool& pool);

  /// Gives the files that are right as they lie there. A file that cannot be read back is not one of them, and no
  /// error. Errors: the token's.
  Task<Result<std::vector<const FileEntry*>>> run(CancelToken cancel);

 private:
  Task<Result<void>> work(Lane& lane, CancelToken cancel);
  void note(const FileEntry& file, SteadyTime begun, StoredFile facts);

  const Services& services_;
  std::vector<Candidate> candidates_;
  Bytes part_size_;
  RingLender rings_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::size_t next_ = 0;
  std::vector<const FileEntry*> adopted_;
};

}  // namespace hfpour
