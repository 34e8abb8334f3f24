// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "base/secret.h"

namespace hfpour::hub {

/// The Hub's token. One from a file is read anew when the file has changed, as kubelet and agents of secret stores
/// replace theirs. A file that cannot be read just now, or holds no token, leaves the old one. Loop thread.
class Token {
 public:
  Token() = default;
  /// `file` is where `value` came from; empty: it came from elsewhere, and stays.
  Token(Secret value, std::string file) : value_(std::move(value)), file_(std::move(file)) { looks_new(); }

  bool empty() const { return value_.empty(); }
  /// The token to send now.
  const Secret& current();
  /// The Hub did not accept the token: reads the file whatever its dates say. True when it holds another one.
  bool reread();

 private:
  /// What tells that a file is another one: device, inode, size, date.
  using Mark = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;

  bool looks_new();

  Secret value_;
  std::string file_;
  std::optional<Mark> mark_;
};

}  // namespace hfpour::hub
