// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <span>

#include "base/bytes.h"
#include "buffer/flow.h"
#include "loop/condition.h"

namespace hfpour {

/// A bounded byte ring with one writer and two readers, `hash` and `upload`. A cell is free when both have passed it.
///
///        freed            passed by one          written
///     ───────────┬──────────────────────┬────────────────────┬──────────  offsets grow, and never wrap
///            min(readers)         max(readers)            written
///
/// Offsets count bytes since `reset`. Storage is lent. Loop thread only; a span from `peek` may be read on another
/// thread until `advance` gives its bytes up.
class Ring {
 public:
  enum class Reader : unsigned char { hash, upload };

  explicit Ring(std::span<std::byte> storage) : storage_(storage) {}
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Empty again, offsets at zero.
  void reset();

  Bytes capacity() const { return storage_.size(); }
  Bytes written() const { return written_; }
  Bytes position(Reader reader) const { return passed_[index(reader)]; }
  Bytes available(Reader reader) const { return written_ - position(reader); }
  Bytes free() const { return capacity() - (written_ - std::min(passed_[0], passed_[1])); }

  /// Copies all of `bytes` in, or nothing if they do not fit.
  bool write(ByteView bytes);
  /// The next bytes for `reader`, in one piece, at most `limit`; empty when there are none.
  ByteView peek(Reader reader, Bytes limit) const;
  /// Bytes from `offset` on, in one piece, at most `limit`; they must still be there.
  ByteView view_at(Bytes offset, Bytes limit) const;
  /// `reader` has passed `count` more bytes.
  void advance(Reader reader, Bytes count);

  /// Notified when `reader` has something new to read.
  Condition& readable(Reader reader) { return readable_[index(reader)]; }
  /// Woken when a writer that was told to wait should try again.
  void set_writer_waker(Waker* waker) { writer_waker_ = waker; }
  /// Woken when bytes arrive for the upload reader.
  void set_upload_waker(Waker* waker) { upload_waker_ = waker; }
  /// The writer found no room: wake it when a good piece is free.
  void writer_waits() { writer_waits_ = true; }

 private:
  static std::size_t index(Reader reader) { return static_cast<std::size_t>(reader); }

  std::span<std::byte> storage_;
  Bytes written_ = 0;
  std::array<Bytes, 2> passed_{};
  std::array<Condition, 2> readable_;
  Waker* writer_waker_ = nullptr;
  Waker* upload_waker_ = nullptr;
  bool writer_waits_ = false;
};

}  // namespace hfpour
