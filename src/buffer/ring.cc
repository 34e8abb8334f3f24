// SPDX-License-Identifier: MIT
#include "buffer/ring.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace hfpour {

void Ring::reset(const std::vector<Reader>& readers) {
  written_ = 0;
  passed_ = {};
  reads_ = {};
  for (const Reader reader : readers) reads_[index(reader)] = true;
  writer_waits_ = false;
}

bool Ring::write(ByteView bytes) {
  if (bytes.size() > free()) return false;
  if (bytes.empty()) return true;
  const Bytes at = written_ % capacity();
  const std::size_t first = std::min<std::size_t>(bytes.size(), capacity() - at);
  std::memcpy(storage_.data() + at, bytes.data(), first);
  if (first < bytes.size()) std::memcpy(storage_.data(), bytes.data() + first, bytes.size() - first);
  written_ += bytes.size();
  for (Condition& condition : readable_) condition.notify();
  if (upload_waker_ != nullptr) upload_waker_->wake();
  return true;
}

void Ring::writer_waits() {
  writer_waits_ = true;
  for (Condition& condition : readable_) condition.notify();
}

ByteView Ring::peek(Reader reader, Bytes limit) const {
  return view_at(position(reader), limit);
}

ByteView Ring::view_at(Bytes offset, Bytes limit) const {
  assert(offset <= written_ && written_ - offset <= capacity());
  const Bytes at = offset % capacity();
  const Bytes count = std::min({limit, written_ - offset, capacity() - at});
  return ByteView(storage_).subspan(at, count);
}

void Ring::advance(Reader reader, Bytes count) {
  assert(count <= available(reader));
  passed_[index(reader)] += count;
  // A quarter of the ring, so that pausing and resuming does not happen for each chunk.
  if (!writer_waits_ || free() < capacity() / 4) return;
  writer_waits_ = false;
  if (writer_waker_ != nullptr) writer_waker_->wake();
}

}  // namespace hfpour
