// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/sink.h"

namespace hfpour {

/// A file cut into parts: numbered from 1, contiguous, all equal but the last, which is not larger.
struct PartPlan {
  Bytes size = 0;
  Bytes part_size = 0;

  unsigned count() const { return size == 0 ? 0 : static_cast<unsigned>((size + part_size - 1) / part_size); }
  ByteRange range(unsigned number) const {
    const Bytes begin = (number - 1) * part_size;
    return ByteRange{begin, std::min(size, begin + part_size)};
  }
  /// The part that holds byte `offset`.
  unsigned number_at(Bytes offset) const { return static_cast<unsigned>(offset / part_size) + 1; }
};

/// Splits a file into the parts the sink will accept. The same size and settings always give the same parts, so the
/// ETag of a file of several parts does not depend on the machine.
///
/// Grows the part size in whole MiB when `preferred` would need more than `limits.max_parts`.
/// Errors: `quota` if even the largest part does not do. Pure; any thread.
Result<PartPlan> plan_parts(Bytes size, Bytes preferred, const SinkLimits& limits);

}  // namespace hfpour
