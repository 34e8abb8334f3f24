// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hfpour {

/// A count of bytes or an offset in bytes. 64 bits: a repository may hold terabytes.
using Bytes = std::uint64_t;

/// Borrowed, read-only bytes.
using ByteView = std::span<const std::byte>;

inline constexpr Bytes KiB = 1024;
inline constexpr Bytes MiB = 1024 * KiB;
inline constexpr Bytes GiB = 1024 * MiB;

/// Half-open range `[begin, end)` of a file.
struct ByteRange {
  Bytes begin = 0;
  Bytes end = 0;
  Bytes size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

/// Reads `64Mi`, `64MiB`, `64M`, `1.5Gi`, `500k`, `1048576`. `Ki Mi Gi Ti` count in 1024s, `k M G T` in 1000s.
/// Errors: `usage`, naming the text.
Result<Bytes> parse_bytes(std::string_view text);

/// `0 B`, `1.0 KiB`, `3.4 GiB`: for people.
std::string format_bytes(Bytes bytes);

/// The bytes of a text.
inline ByteView as_view(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The text of some bytes.
inline std::string_view as_text(ByteView bytes) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace hfpour
