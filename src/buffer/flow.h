// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "base/bytes.h"

namespace hfpour {

/// Something that stopped because a buffer was full or empty, and wants to hear when it may go on. Loop thread.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() = 0;
};

/// Where received bytes go. Loop thread.
class Inlet {
 public:
  enum class Take {
    all,      ///< every byte was taken
    wait,     ///< none was; offer the same bytes again after `wake`
    refused,  ///< none was, and none will be: more than was asked for, or the work has stopped
  };
  virtual ~Inlet() = default;
  virtual Take take(ByteView bytes) = 0;
  /// Who is to be woken when `take` said wait; null when nobody is listening any more.
  virtual void set_waker(Waker* waker) = 0;
};

/// Where bytes to be sent come from. Its bytes lie in memory, so that they can be lent to another thread. Loop thread,
/// but for `gave`.
class Outlet {
 public:
  enum class Kind {
    bytes,
    wait,  ///< nothing there yet; ask again after `wake`
    stop,  ///< the work has stopped
  };
  struct Give {
    Kind kind = Kind::wait;
    std::size_t count = 0;  ///< with `bytes`: how many were written into the buffer; at least 1
  };
  struct Lent {
    Kind kind = Kind::wait;
    ByteView bytes = {};  ///< with `bytes`: at least one; there until they are `passed`
  };
  virtual ~Outlet() = default;

  /// The next bytes behind `ahead` that are lent already, at most `limit`, in one piece.
  virtual Lent lend(Bytes ahead, Bytes limit) = 0;
  /// The copy of the next bytes, as it is going to be sent. On the thread that sends.
  virtual void gave(ByteView) {}
  /// The next `count` bytes are not needed any more.
  virtual void passed(Bytes count) = 0;
  /// How many bytes it will give in all.
  virtual Bytes length() const = 0;
  /// Starts again at its first byte, if it still can. Nothing is lent then; what was given and has not passed is
  /// forgotten.
  virtual bool rewind() = 0;
  virtual void set_waker(Waker* waker) = 0;

  /// Fills a part of `buffer`.
  Give give(std::span<std::byte> buffer) {
    const Lent lent = lend(0, buffer.size());
    if (lent.kind != Kind::bytes) return Give{lent.kind};
    std::memcpy(buffer.data(), lent.bytes.data(), lent.bytes.size());
    gave(ByteView(buffer).first(lent.bytes.size()));
    passed(lent.bytes.size());
    return Give{Kind::bytes, lent.bytes.size()};
  }
};

}  // namespace hfpour
