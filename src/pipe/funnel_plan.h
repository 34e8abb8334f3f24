// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/sink.h"

namespace hfpour {

/// What is known before a stream is poured into one object.
struct FunnelNeed {
  Bytes ceiling = 0;                   ///< resident memory plus kernel socket buffers, the user's one number
  Bytes resident = 0;                  ///< already in use by the program
  unsigned uploads = 0;                ///< side by side, wished for by the user; 0 = as many as are useful
  Bytes part_size = 0;                 ///< of the first parts
  std::optional<Bytes> expected_size;  ///< of the whole stream; nothing: unknown
  bool equal_parts = false;            ///< the store wants all parts of one length, but the last
};

/// How a stream is cut into parts while nobody knows its end. Plain value; any thread.
struct FunnelPlan {
  Bytes ceiling = 0;     ///< as asked
  Bytes budget = 0;      ///< for parts that are being filled or not yet acknowledged
  unsigned uploads = 0;  ///< side by side, at most
  Bytes first_part = 0;
  Bytes most_part = 0;    ///< what parts grow to; two of them fit into the budget
  Bytes send_buffer = 0;  ///< of each connection, kernel memory
  SinkLimits limits;

  /// The length of a part: doubled each `grow_every` parts, so that a short stream goes in small parts and a long one
  /// still ends inside the sink's number of parts.
  Bytes part_size(unsigned number) const;
  /// The longest stream it can take.
  Bytes capacity() const;
};

inline constexpr unsigned grow_every = 500;

/// Cuts what the ceiling leaves over. Each part is held in memory until the store has acknowledged it, because a pipe
/// cannot be read twice.
///
/// Errors: `usage` with the arithmetic and the memory that would do, when two parts do not fit; `quota` when no store
/// takes an object that long. Pure; any thread.
Result<FunnelPlan> plan_funnel(const FunnelNeed& need, const SinkLimits& limits);

}  // namespace hfpour
