// SPDX-License-Identifier: MIT
#include "transfer/ordered_hash.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace hfpour {

namespace {
DigestKind digest_of(const FileEntry& file) {
  return file.hash.kind == HashKind::sha256 ? DigestKind::sha256 : DigestKind::sha1;
}
}  // namespace

OrderedHash::OrderedHash(const FileEntry& file) : file_(file), digest_(digest_of(file)) {
  if (file.hash.kind != HashKind::git_blob) return;
  // What git hashes: "blob", a space, the decimal length, a zero byte, the content (contract hub §6).
  std::string header = fmt::format("blob {}", file.size);
  header.push_back('\0');
  digest_.update(as_view(header));
}

bool OrderedHash::resume(Bytes offset, ByteView hash) {
  if (offset == 0) return hash.empty();
  std::optional<Digest> saved = Digest::restore(digest_of(file_), hash);
  // What stands before the content has been fed by now and nothing else.
  if (!saved || saved->length() != digest_.length() + offset) return false;
  digest_ = *std::move(saved);
  position_ = offset;
  mark();
  return true;
}

Task<Result<void>> OrderedHash::turn(Bytes offset, CancelToken cancel) {
  while (position_ != offset) {
    if (cancel.cancelled()) co_return cancel.error();
    co_await moved_.wait(cancel);
  }
  co_return Result<void>();
}

void OrderedHash::passed(Bytes count) {
  position_ += count;
  moved_.notify();
}

Result<void> OrderedHash::verify() {
  const std::vector<std::byte> found = digest_.finish();
  if (std::ranges::equal(found, file_.hash.view())) return {};
  return Error(
      Kind::integrity,
      fmt::format("the bytes of '{}' are not those that were promised: expected {} {}, got {}", printable(file_.path),
                  to_string(file_.hash.kind), to_hex(file_.hash), to_hex(ByteView(found))));
}

}  // namespace hfpour
