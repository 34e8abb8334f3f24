// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "buffer/flow.h"
#include "loop/condition.h"

namespace hfpour {

/// What a ring's memory is given out and taken back in. As long as the readers keep up, a few cells are all that is
/// ever touched, however long the ring is, and they stay in the processor's caches (docs/performance.md).
inline constexpr Bytes usual_cell = 256 * KiB;

class RingLender;

/// A bounded byte ring with one writer and up to three readers: the file's hash, the part's sum, the upload. A cell is
/// free when all of them have passed it, and the one that became free last is the next to be written.
///
///        freed            passed by some         written
///     ───────────┬──────────────────────┬────────────────────┬──────────  offsets grow, and never wrap
///            min(readers)         max(readers)            written
///
/// Offsets count bytes since `reset`. Its memory is lent, by a `RingLender` with the first byte. Loop thread only; a
/// span from `peek` may be read on another thread until `advance` gives its bytes up.
class Ring {
 public:
  enum class Reader : unsigned char {
    hash,  ///< the whole file's hash, in file order: stripes may wait for each other here
    sum,   ///< the MD5 of the part, which waits for nobody
    upload,
  };

  /// At most `capacity` bytes, in so many cells of `cell` bytes as that takes; `storage` has room for them.
  Ring(std::span<std::byte> storage, Bytes capacity, Bytes cell);
  /// The same without memory, for which it asks `lender` when there is something to write.
  Ring(RingLender& lender, Bytes capacity, Bytes cell);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Empty again, offsets at zero; only these readers are waited for from now on.
  void reset(const std::vector<Reader>& readers = {Reader::hash, Reader::sum, Reader::upload});

  Bytes capacity() const { return capacity_; }
  Bytes written() const { return written_; }
  Bytes position(Reader reader) const { return passed_[index(reader)]; }
  /// How far `reader` is behind; 0 for one that is not waited for.
  Bytes available(Reader reader) const { return reads_[index(reader)] ? written_ - position(reader) : 0; }
  /// What can be written now: nothing without memory.
  Bytes free() const { return has_memory() ? capacity() - (written_ - oldest()) : 0; }

  bool has_memory() const { return !storage_.empty(); }
  /// Memory that the lender calls `loan`; wakes a writer that waits.
  void take_memory(std::size_t loan, std::span<std::byte> storage);
  /// Without memory again, and empty. Which loan it had, if any.
  std::optional<std::size_t> give_back();

  /// Copies all of `bytes` in, or nothing if they do not fit or there is no memory yet.
  bool write(ByteView bytes);
  /// The next bytes for `reader`, in one piece, which ends with its cell, at most `limit`; empty when there are none.
  ByteView peek(Reader reader, Bytes limit) const;
  /// The same in as many pieces as it takes.
  std::vector<ByteView> peek_all(Reader reader, Bytes limit) const;
  /// Bytes from `offset` on, in one such piece; they must still be there.
  ByteView view_at(Bytes offset, Bytes limit) const;
  /// `reader` has passed `count` more bytes.
  void advance(Reader reader, Bytes count);

  /// Notified when `reader` has something new to read.
  Condition& readable(Reader reader) { return readable_[index(reader)]; }
  /// Woken when a writer that was told to wait should try again.
  void set_writer_waker(Waker* waker) { writer_waker_ = waker; }
  /// Woken when as many bytes are there for the upload as it said that it waits for.
  void set_upload_waker(Waker* waker) { upload_waker_ = waker; }
  void upload_waits(Bytes wanted) { upload_wants_ = wanted; }
  /// The writer found no room: wake it when a good piece is free. Readers that wait for more take what there is.
  void writer_waits();
  bool writer_waiting() const { return writer_waits_; }

 private:
  static std::size_t index(Reader reader) { return static_cast<std::size_t>(reader); }
  std::size_t cells() const { return (capacity_ + cell_ - 1) / cell_; }
  /// Where in the storage a cell of the stream lies; one more of them can be in use than there is room for, see
  /// `open_cell`.
  std::size_t& place_of(std::size_t cell) { return places_[cell % places_.size()]; }
  Bytes oldest() const;
  void wake_writer();
  void open_cell();

  RingLender* lender_ = nullptr;
  std::optional<std::size_t> loan_;
  std::span<std::byte> storage_;
  Bytes capacity_;
  Bytes cell_;
  std::vector<std::size_t> places_;
  std::vector<std::size_t> free_;  ///< the last is taken first
  Bytes written_ = 0;
  std::array<Bytes, 3> passed_{};
  std::array<bool, 3> reads_ = {true, true, true};
  std::array<Condition, 3> readable_;
  Waker* writer_waker_ = nullptr;
  Waker* upload_waker_ = nullptr;
  Bytes upload_wants_ = 0;
  bool writer_waits_ = false;
};

}  // namespace hfpour
