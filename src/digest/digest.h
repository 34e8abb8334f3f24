// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"

struct XXH3_state_s;

namespace hfpour {

enum class DigestKind { sha256, sha1 };

/// A digest on its way, as bytes that another process can go on with: the chaining words and the number of bytes fed so
/// far, both big-endian, and the bytes of the last block that is not full. At most 103 bytes. It says nothing of the
/// kind.
using Midstate = std::vector<std::byte>;

/// A cryptographic digest fed piece by piece (OpenSSL). One thread at a time.
class Digest {
 public:
  explicit Digest(DigestKind kind);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void update(ByteView bytes);
  /// Whether two of this kind take less time with `update_pair` than one after the other, on this processor.
  bool pairs() const;
  /// Updates two that pair, each with its own bytes, of any lengths.
  static void update_pair(Digest& one, ByteView bytes, Digest& other, ByteView others_bytes);
  /// The digest; afterwards it begins anew.
  std::vector<std::byte> finish();

  /// How many bytes it has been fed.
  Bytes length() const;
  Midstate save() const;
  /// The digest that was saved; nothing when these bytes cannot be one of this kind.
  static std::optional<Digest> restore(DigestKind kind, ByteView saved);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// 128-bit XXH3, the check that a ring gives out what was put in. Not cryptographic. One thread at a time.
class Xxh3 {
 public:
  using Value = std::array<std::byte, 16>;  ///< canonical, big-endian

  Xxh3();
  Xxh3(Xxh3&&) noexcept;
  Xxh3& operator=(Xxh3&&) noexcept;
  ~Xxh3();

  void update(ByteView bytes);
  /// The digest; afterwards it begins anew.
  Value finish();

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace hfpour
