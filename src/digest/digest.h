// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/bytes.h"

struct evp_md_ctx_st;
struct XXH3_state_s;

namespace hfpour {

enum class DigestKind { sha256, sha1 };

/// A cryptographic digest fed piece by piece (OpenSSL). One thread at a time.
class Digest {
 public:
  explicit Digest(DigestKind kind);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void update(ByteView bytes);
  /// The digest; afterwards it begins anew.
  std::vector<std::byte> finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  DigestKind kind_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
  void begin();
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
