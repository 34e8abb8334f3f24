// SPDX-License-Identifier: MIT
#include "buffer/ring.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "buffer/ring_lender.h"

namespace hfpour {

Ring::Ring(std::span<std::byte> storage, Bytes capacity, Bytes cell)
    : storage_(storage), capacity_(capacity), cell_(cell), places_(cells() + 1) {
  assert(cells() * cell <= storage.size());
  free_.reserve(cells());
  reset();
}

Ring::Ring(RingLender& lender, Bytes capacity, Bytes cell)
    : lender_(&lender), capacity_(capacity), cell_(cell), places_(cells() + 1) {
  free_.reserve(cells());
  reset();
}

void Ring::take_memory(std::size_t loan, std::span<std::byte> storage) {
  assert(!has_memory() && cells() * cell_ <= storage.size());
  loan_ = loan;
  storage_ = storage;
  wake_writer();
}

std::optional<std::size_t> Ring::give_back() {
  reset();
  storage_ = {};
  return std::exchange(loan_, std::nullopt);
}

void Ring::reset(const std::vector<Reader>& readers) {
  written_ = 0;
  passed_ = {};
  reads_ = {};
  for (const Reader reader : readers) reads_[index(reader)] = true;
  writer_waits_ = false;
  free_.clear();
  for (std::size_t cell = cells(); cell-- > 0;) free_.push_back(cell);
}

/// Where the slowest reader is.
Bytes Ring::oldest() const {
  return written_ - std::max({available(Reader::hash), available(Reader::sum), available(Reader::upload)});
}

/// The next cell of the stream begins: in the one that was given back last, which the processor's caches still know.
/// When none is free, in the part of the oldest one that all readers have passed.
void Ring::open_cell() {
  const std::size_t next = written_ / cell_;
  if (free_.empty()) {
    place_of(next) = place_of(oldest() / cell_);
  } else {
    place_of(next) = free_.back();
    free_.pop_back();
  }
}

bool Ring::write(ByteView bytes) {
  if (bytes.empty()) return true;
  if (!has_memory() && lender_ != nullptr) lender_->ask(*this);
  if (bytes.size() > free()) return false;
  while (!bytes.empty()) {
    const Bytes at = written_ % cell_;
    if (at == 0) open_cell();
    const ByteView piece = bytes.first(std::min<Bytes>(bytes.size(), cell_ - at));
    std::memcpy(storage_.data() + place_of(written_ / cell_) * cell_ + at, piece.data(), piece.size());
    written_ += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  for (Condition& condition : readable_) condition.notify();
  if (upload_waker_ != nullptr && available(Reader::upload) >= upload_wants_) upload_waker_->wake();
  return true;
}

void Ring::writer_waits() {
  writer_waits_ = true;
  for (Condition& condition : readable_) condition.notify();
}

ByteView Ring::peek(Reader reader, Bytes limit) const {
  return view_at(position(reader), limit);
}

std::vector<ByteView> Ring::peek_all(Reader reader, Bytes limit) const {
  std::vector<ByteView> pieces;
  const Bytes end = position(reader) + std::min(limit, available(reader));
  for (Bytes at = position(reader); at < end; at += pieces.back().size()) pieces.push_back(view_at(at, end - at));
  return pieces;
}

ByteView Ring::view_at(Bytes offset, Bytes limit) const {
  assert(offset <= written_ && written_ - offset <= capacity());
  if (offset == written_) return {};
  const Bytes at = offset % cell_;
  const Bytes count = std::min({limit, written_ - offset, cell_ - at});
  return ByteView(storage_).subspan(places_[offset / cell_ % places_.size()] * cell_ + at, count);
}

void Ring::advance(Reader reader, Bytes count) {
  assert(count <= available(reader));
  const std::size_t first = oldest() / cell_;
  passed_[index(reader)] += count;
  const std::size_t newest = (written_ - 1) / cell_;
  for (std::size_t cell = first; cell < oldest() / cell_; ++cell) {
    // One whose beginning is in use again goes on as the newest.
    if (cell == newest || place_of(cell) != place_of(newest)) free_.push_back(place_of(cell));
  }
  // A quarter of the ring, so that pausing and resuming does not happen for each chunk.
  if (free() >= capacity() / 4) wake_writer();
}

void Ring::wake_writer() {
  if (!std::exchange(writer_waits_, false)) return;
  if (writer_waker_ != nullptr) writer_waker_->wake();
}

}  // namespace hfpour
