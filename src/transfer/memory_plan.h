// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "base/result.h"

namespace hfpour {

/// What the memory has to serve.
struct MemoryNeed {
  Bytes ceiling = 0;   ///< resident memory plus kernel socket buffers, the user's one number
  Bytes resident = 0;  ///< already in use: the program, the libraries, the listing
  unsigned lanes = 0;  ///< wished for by the user; 0 = as many as are useful
  Bytes part_size = 0;
  std::size_t large_files = 0;  ///< longer than one part
  std::size_t small_files = 0;
  bool windows_fixed = false;  ///< whether the kernel grants receive buffers for `largest_window`, so that none grows
  bool plain_source = false;   ///< it speaks http without TLS, so it is near, and its streams may be fast
};

/// So many lanes begin, as many as MD5 takes abreast; more when it shows that they help.
inline constexpr unsigned first_lanes = 8;

/// The longest receive window that a plan gives to a connection.
inline constexpr Bytes largest_window = 1 * MiB;

/// The shortest ring that a plan has.
inline constexpr Bytes least_ring = 256 * KiB;

/// How the memory is cut.
struct MemoryPlan {
  unsigned lanes = 0;
  unsigned rings = 0;           ///< at most as many: a lane needs one from its first byte on
  Bytes ring_bytes = 0;         ///< of each
  Bytes receive_window = 0;     ///< of each Hub connection, kernel memory
  Bytes send_buffer = 0;        ///< of each store connection, kernel memory
  unsigned wide_windows = 0;    ///< so many of the connections get `largest_window` instead
  Bytes copy_buffer = 0;        ///< what libcurl takes at a time, of each exchange without TLS
  Bytes per_lane = 0;           ///< one download: libcurl's buffers, TLS and kernel buffers
  Bytes per_ring = 0;           ///< the ring and the uploads out of it, likewise
  Bytes for_wide_windows = 0;   ///< what these are charged with beyond `per_lane`, all together
  bool held_by_memory = false;  ///< more memory would have given more lanes or longer rings

  Bytes total() const { return lanes * per_lane + rings * per_ring + for_wide_windows; }
};

/// How many uploads of one lane may be under way: one that sends, the others waiting for their answer.
inline constexpr unsigned uploads_per_lane = 3;

/// Cuts what the ceiling leaves over into lanes, whichever way is expected to be faster: a lane for each file, with
/// short rings and one long stream each; or, with fewer large files than lanes, rings of one part or a few, so that
/// stripes of one file can run side by side, each of which waits anew for its first byte. Then there are more lanes
/// than rings, since none is needed while a lane waits.
///
/// Errors: `usage` with the arithmetic when not even one lane fits. Pure; any thread.
Result<MemoryPlan> plan_memory(const MemoryNeed& need);

/// How long each stripe is when `bytes` in all are cut into some: whole parts, as many as a ring can hold, but no more
/// than leave stripes for all lanes. 0: not even one part fits. Pure; any thread.
Bytes stripe_length(const MemoryPlan& plan, Bytes part, Bytes bytes);

}  // namespace hfpour
