// SPDX-License-Identifier: MIT
#include "transfer/file_entry.h"

#include <algorithm>

#include "base/text.h"

namespace hfpour {

std::string to_hex(const ContentHash& hash) {
  return to_hex(hash.view());
}

std::string_view to_string(HashKind kind) {
  return kind == HashKind::sha256 ? "sha256" : "git-sha1";
}

std::optional<ContentHash> parse_hash(std::string_view kind, std::string_view hex) {
  ContentHash hash;
  if (kind == to_string(HashKind::git_blob)) {
    hash.kind = HashKind::git_blob;
  } else if (kind != to_string(HashKind::sha256)) {
    return std::nullopt;
  }
  const auto bytes = from_hex(hex);
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.bytes.begin());
  return hash;
}

}  // namespace hfpour
