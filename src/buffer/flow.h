// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
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

/// Where bytes to be sent come from. Loop thread.
class Outlet {
 public:
  struct Give {
    enum class Kind { bytes, wait, stop } kind;
    std::size_t count = 0;  ///< with `bytes`: how many were written into the buffer; at least 1
  };
  virtual ~Outlet() = default;
  /// Fills a part of `buffer`. `wait`: nothing there yet, ask again after `wake`. `stop`: the work has stopped.
  virtual Give give(std::span<std::byte> buffer) = 0;
  /// How many bytes it will give in all.
  virtual Bytes length() const = 0;
  /// Starts again at its first byte, if it still can.
  virtual bool rewind() = 0;
  virtual void set_waker(Waker* waker) = 0;
};

}  // namespace hfpour
