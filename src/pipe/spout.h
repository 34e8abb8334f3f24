// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "buffer/ring_pool.h"
#include "digest/hash_workers.h"
#include "loop/task_group.h"
#include "pipe/descriptor.h"
#include "pipe/framing.h"
#include "transfer/lane.h"
#include "transfer/observer.h"
#include "transfer/ordered_hash.h"
#include "transfer/source.h"

namespace hfpour {

/// Files, or a range of one, as one stream of bytes in order: fetched ahead by lanes side by side, hashed, written.
///
///     source ──► lane 1: ring ─┐
///     source ──► lane 2: ring ─┼─► hash, in file order ─► write, in file order ─► descriptor
///     source ──► lane 3: ring ─┘
///
/// A pipe cannot take back what it was given. So the last bytes of a file are held until its hash is right: whoever
/// reads a file that is not what was promised gets less than all of it, and nothing of a file up to `hold_back`. A slow
/// reader fills the rings, and the downloads pause. Loop thread.
class Spout {
 public:
  /// What is held until a file is verified (half a ring if that is less), and written at a time.
  static constexpr Bytes hold_back = 256 * KiB;

  struct Services {
    Reactor& reactor;
    HashWorkers& hashers;
    Source& source;
    Descriptor& out;
    Progress& progress;
  };
  struct Member {
    const FileEntry* file = nullptr;
    ByteRange range;     ///< the whole file, when it is to be verified
    bool verify = true;  ///< its hash is known
  };

  /// `stripe` is what a lane of several fetches in one go, about a ring; a single one fetches whole files. There may be
  /// more lanes than `pool` has rings; with one ring there is one lane, for the end of a stripe is held back until the
  /// next one has come. Everything lent outlives it.
  Spout(Services services, unsigned lanes, const RingPool& pool, Bytes stripe, const Framing& framing);

  /// Streams the members. Errors: the source's, the descriptor's, `integrity` with both digests, the token's.
  Task<Result<void>> pour(const std::vector<Member>& members, CancelToken cancel);

 private:
  struct Piece {
    std::size_t member = 0;
    ByteRange range;
    Lane* lane = nullptr;
  };
  class RingInlet;

  std::optional<Piece> take_piece();
  bool all_taken(std::size_t member) const;
  Task<Result<void>> fetch(Lane& lane, CancelToken cancel);
  Task<Result<void>> stream(const Piece& piece, CancelToken cancel);
  Task<Result<void>> hash(CancelToken cancel);
  Task<Result<void>> hash_piece(const Piece& piece, OrderedHash& content, CancelToken cancel);
  Task<Result<void>> write(CancelToken cancel);
  Task<Result<void>> write_piece(const Piece& piece, CancelToken cancel);
  Task<Result<void>> write_text(std::string& text, CancelToken cancel);

  const Services services_;
  const Bytes stripe_;
  const Bytes hold_;
  const Framing& framing_;
  RingLender rings_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  const std::vector<Member>* members_ = nullptr;
  std::size_t next_member_ = 0;  ///< the first with bytes not yet dealt to a lane
  Bytes dealt_of_next_ = 0;      ///< of that one
  std::deque<Piece> dealt_;      ///< in order; gone once they are written
  std::size_t written_pieces_ = 0;
  std::map<std::size_t, unsigned> streams_;  ///< of each member, under way
  std::size_t verified_ = 0;                 ///< members
  Bytes begun_ = 0;                          ///< bytes of all members verified so far
  Bytes cleared_ = 0;                        ///< bytes of the whole stream that may be written
  Bytes written_ = 0;
  Condition changed_;
};

}  // namespace hfpour
