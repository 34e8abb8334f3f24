// SPDX-License-Identifier: MIT
#include "pipe/spout.h"

#include <algorithm>
#include <limits>

namespace hfpour {

namespace {
constexpr Bytes text_bite = 64 * KiB;  ///< of heads and tails gathered before they are written
}  // namespace

/// Puts exactly one piece into a ring.
class Spout::RingInlet final : public Inlet {
 public:
  RingInlet(Ring& ring, Bytes length, Progress& progress) : ring_(ring), left_(length), progress_(progress) {}

  Take take(ByteView bytes) override {
    if (bytes.size() > left_) return Take::refused;
    if (!ring_.write(bytes)) {
      ring_.writer_waits();
      return Take::wait;
    }
    left_ -= bytes.size();
    progress_.received_bytes += bytes.size();
    return Take::all;
  }
  void set_waker(Waker* waker) override { ring_.set_writer_waker(waker); }
  bool complete() const { return left_ == 0; }

 private:
  Ring& ring_;
  Bytes left_;
  Progress& progress_;
};

Spout::Spout(Services services, unsigned lanes, const RingPool& pool, Bytes stripe, const Framing& framing)
    : services_(services),
      stripe_(pool.count() > 1 ? stripe : std::numeric_limits<Bytes>::max()),
      hold_(std::min(hold_back, pool.ring_bytes() / 2)),
      framing_(framing),
      rings_(pool) {
  const unsigned useful = pool.count() > 1 ? lanes : 1;
  for (unsigned i = 0; i < useful; ++i) lanes_.push_back(std::make_unique<Lane>(rings_));
}

Task<Result<void>> Spout::pour(const std::vector<Member>& members, CancelToken cancel) {
  members_ = &members;
  TaskGroup group(services_.reactor.ready(), cancel);
  for (const auto& lane : lanes_) group.spawn(fetch(*lane, group.token()));
  group.spawn(hash(group.token()));
  group.spawn(write(group.token()));
  Result<void> joined = co_await group.join();
  co_return joined;
}

// --- fetching ahead

std::optional<Spout::Piece> Spout::take_piece() {
  while (next_member_ < members_->size()) {
    const Member& member = (*members_)[next_member_];
    const Bytes begin = member.range.begin + dealt_of_next_;
    if (begin >= member.range.end) {
      ++next_member_;
      dealt_of_next_ = 0;
      continue;
    }
    const Piece piece{next_member_, ByteRange{begin, begin + std::min(member.range.end - begin, stripe_)}};
    dealt_of_next_ += piece.range.size();
    return piece;
  }
  return std::nullopt;
}

bool Spout::all_taken(std::size_t member) const {
  return next_member_ > member || dealt_of_next_ == (*members_)[member].range.size();
}

Task<Result<void>> Spout::fetch(Lane& lane, CancelToken cancel) {
  while (std::optional<Piece> piece = take_piece()) {
    lane.enter();
    lane.ring.reset({Ring::Reader::hash, Ring::Reader::upload});
    lane.busy = true;
    piece->lane = &lane;
    dealt_.push_back(*piece);
    changed_.notify();
    Result<void> streamed = co_await stream(*piece, cancel);
    if (!streamed) co_return streamed;
    while (lane.busy) {
      if (cancel.cancelled()) co_return cancel.error();
      co_await changed_.wait(cancel);
    }
    lane.leave();
  }
  co_return Result<void>();
}

Task<Result<void>> Spout::stream(const Piece& piece, CancelToken cancel) {
  const FileEntry& file = *(*members_)[piece.member].file;
  RingInlet inlet(piece.lane->ring, piece.range.size(), services_.progress);
  ++streams_[piece.member];
  Result<void> streamed = co_await services_.source.stream(file, piece.range, inlet, cancel);
  if (--streams_[piece.member] == 0 && all_taken(piece.member)) {
    streams_.erase(piece.member);
    services_.source.done(file);
  }
  if (!streamed) co_return streamed;
  if (!inlet.complete()) co_return Error(Kind::internal, "the source ended early without saying so");
  co_return Result<void>();
}

// --- hashing: clears bytes for being written

Task<Result<void>> Spout::hash(CancelToken cancel) {
  std::size_t piece = 0;
  for (const Member& member : *members_) {
    OrderedHash content(*member.file);
    for (Bytes at = member.range.begin; at < member.range.end;) {
      while (piece - written_pieces_ >= dealt_.size()) {
        if (cancel.cancelled()) co_return cancel.error();
        co_await changed_.wait(cancel);
      }
      const Piece next = dealt_[piece++ - written_pieces_];
      Result<void> hashed = co_await hash_piece(next, content, cancel);
      if (!hashed) co_return hashed;
      at = next.range.end;
    }
    if (member.verify && member.range.size() == 0) {
      Result<void> same = content.verify();
      if (!same) co_return same;
    }
    begun_ += member.range.size();
    ++verified_;
    changed_.notify();
  }
  co_return Result<void>();
}

Task<Result<void>> Spout::hash_piece(const Piece& piece, OrderedHash& content, CancelToken cancel) {
  const Member& member = (*members_)[piece.member];
  Ring& ring = piece.lane->ring;
  for (Bytes at = piece.range.begin; at < piece.range.end;) {
    // Small bites would cost more in going to a worker and back than in hashing.
    const Bytes wanted = std::min({hold_back, piece.range.end - at, std::max<Bytes>(ring.capacity() / 4, 1)});
    while (ring.available(Ring::Reader::hash) < (ring.writer_waiting() ? 1 : wanted) && !cancel.cancelled()) {
      co_await ring.readable(Ring::Reader::hash).wait(cancel);
    }
    if (cancel.cancelled()) co_return cancel.error();
    const ByteView bite = ring.peek(Ring::Reader::hash, hold_back);
    if (member.verify) co_await services_.hashers.feed(bite, content.digest());
    at += bite.size();
    content.passed(bite.size());
    if (member.verify && at == member.range.end) {
      Result<void> same = content.verify();
      if (!same) co_return same;
    }
    // What came before this file has all been cleared; of this file all but the end, until the hash was right.
    const bool held = member.verify && at < member.range.end;
    const Bytes mine = at - member.range.begin;
    cleared_ = begun_ + (held ? mine - std::min(mine, hold_) : mine);
    ring.advance(Ring::Reader::hash, bite.size());
    changed_.notify();
  }
  co_return Result<void>();
}

// --- writing

Task<Result<void>> Spout::write(CancelToken cancel) {
  std::string text;
  for (std::size_t number = 0; number < members_->size(); ++number) {
    const Member& member = (*members_)[number];
    text += framing_.head(*member.file);
    for (Bytes at = member.range.begin; at < member.range.end;) {
      // A head without a byte behind it would be of no use to anybody.
      while (cleared_ == written_ && !cancel.cancelled()) co_await changed_.wait(cancel);
      if (cancel.cancelled()) co_return cancel.error();
      Result<void> said = co_await write_text(text, cancel);
      if (!said) co_return said;
      const Piece piece = dealt_.front();
      Result<void> written = co_await write_piece(piece, cancel);
      if (!written) co_return written;
      at = piece.range.end;
      dealt_.pop_front();
      ++written_pieces_;
      piece.lane->busy = false;
      changed_.notify();
    }
    while (verified_ <= number && !cancel.cancelled()) co_await changed_.wait(cancel);
    if (cancel.cancelled()) co_return cancel.error();
    text += framing_.tail(*member.file);
    if (text.size() < text_bite) continue;
    Result<void> said = co_await write_text(text, cancel);
    if (!said) co_return said;
  }
  text += framing_.end();
  Result<void> said = co_await write_text(text, cancel);
  co_return said;
}

Task<Result<void>> Spout::write_piece(const Piece& piece, CancelToken cancel) {
  Ring& ring = piece.lane->ring;
  for (Bytes left = piece.range.size(); left > 0;) {
    while (cleared_ == written_ && !cancel.cancelled()) co_await changed_.wait(cancel);
    if (cancel.cancelled()) co_return cancel.error();
    const ByteView bite = ring.peek(Ring::Reader::upload, std::min({hold_back, left, cleared_ - written_}));
    Result<void> written = co_await services_.out.write(bite, cancel);
    if (!written) co_return written;
    written_ += bite.size();
    left -= bite.size();
    ring.advance(Ring::Reader::upload, bite.size());
  }
  co_return Result<void>();
}

Task<Result<void>> Spout::write_text(std::string& text, CancelToken cancel) {
  Result<void> written = co_await services_.out.write(as_view(text), cancel);
  text.clear();
  co_return written;
}

}  // namespace hfpour
