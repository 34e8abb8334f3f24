// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.h"
#include "digest/digest.h"
#include "loop/condition.h"
#include "transfer/file_entry.h"

namespace hfpour {

/// The hash of one whole file, fed in file order by one lane at a time. Stripes that are ahead wait for their turn; the
/// oldest never waits for a younger one, so nothing can lock up. Loop thread (the digest itself is lent to a worker).
class OrderedHash {
 public:
  explicit OrderedHash(const FileEntry& file);
  /// Goes on after the first `offset` bytes. False, and nothing is changed, when `hash` cannot be that of so many
  /// bytes.
  bool resume(Bytes offset, ByteView hash);

  /// Waits until the byte at `offset` is the next one. Errors: the token's.
  Task<Result<void>> turn(Bytes offset, CancelToken cancel);
  Digest& digest() { return digest_; }
  /// Bytes of the file that have been fed.
  Bytes position() const { return position_; }
  /// `count` more bytes have been fed.
  void passed(Bytes count);
  /// The bytes so far end a part: this is where another process could go on. The digest must not be lent now.
  void mark() { marked_ = Mark{position_, digest_.save()}; }

  struct Mark {
    Bytes offset = 0;
    Midstate hash;  ///< empty at the beginning of the file
  };
  /// The last place that was marked.
  const Mark& marked() const { return marked_; }

  /// Compares with the hash of the listing. Errors: `integrity` with both digests. Once, at the end.
  Result<void> verify();

 private:
  const FileEntry& file_;
  Digest digest_;
  Bytes position_ = 0;
  Mark marked_;
  Condition moved_;
};

}  // namespace hfpour
