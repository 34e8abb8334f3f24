// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "digest/digest.h"
#include "transfer/file_entry.h"

namespace hfpour::testing {

/// `size` bytes that repeat after 251. A prime: no part, ring or chunk size can hide a shift.
inline std::string pattern(Bytes size, unsigned first = 0) {
  std::string bytes(size, '\0');
  for (Bytes i = 0; i < size; ++i) bytes[i] = static_cast<char>((i + first) % 251);
  return bytes;
}

inline ContentHash hash_of(HashKind kind, std::string_view content) {
  ContentHash hash;
  hash.kind = kind;
  Digest digest(kind == HashKind::sha256 ? DigestKind::sha256 : DigestKind::sha1);
  if (kind == HashKind::git_blob) {
    std::string header = "blob " + std::to_string(content.size());
    header.push_back('\0');
    digest.update(as_view(header));
  }
  digest.update(as_view(content));
  std::ranges::copy(digest.finish(), hash.bytes.begin());
  return hash;
}

inline FileEntry entry_of(std::string path, std::string_view content, HashKind kind = HashKind::sha256) {
  return FileEntry{std::move(path), content.size(), hash_of(kind, content)};
}

inline std::vector<std::byte> digest_of(DigestKind kind, std::string_view content) {
  Digest digest(kind);
  digest.update(as_view(content));
  return digest.finish();
}

/// By OpenSSL, which the product does not use for this.
inline std::vector<std::byte> md5_of(std::string_view content) {
  std::vector<std::byte> value(16);
  EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(value.data()), nullptr, EVP_md5(),
             nullptr);
  return value;
}

inline Xxh3::Value xxh3_of(std::string_view content) {
  Xxh3 xxh3;
  xxh3.update(as_view(content));
  return xxh3.finish();
}

}  // namespace hfpour::testing
