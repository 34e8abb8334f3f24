// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace hfpour {

/// How the source names the content of a file.
enum class HashKind : unsigned char {
  sha256,    ///< of the bytes
  git_blob,  ///< SHA-1 over `blob <size>\0` and the bytes
};

/// A digest the source promised: 32 bytes for SHA-256, 20 for a git blob, the rest zero. A plain value, because a
/// listing may hold 100,000 of them.
struct ContentHash {
  HashKind kind = HashKind::sha256;
  std::array<std::byte, 32> bytes{};

  std::size_t size() const { return kind == HashKind::sha256 ? 32 : 20; }
  ByteView view() const { return ByteView(bytes).first(size()); }
  bool operator==(const ContentHash&) const = default;
};

/// Lower-case hex of the digest.
std::string to_hex(const ContentHash& hash);

/// `sha256` or `git-sha1`: the names used in the manifest and in object metadata.
std::string_view to_string(HashKind kind);

/// Reads what `to_string` and `to_hex` wrote; nothing if either is wrong.
std::optional<ContentHash> parse_hash(std::string_view kind, std::string_view hex);

/// One file of the listing: everything the core knows of it.
struct FileEntry {
  std::string path;  ///< repository path, UTF-8, already checked to be harmless as a key
  Bytes size = 0;
  ContentHash hash;
};

}  // namespace hfpour
