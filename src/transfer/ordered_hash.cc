// SPDX-License-Identifier: MIT
#include "transfer/ordered_hash.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace hfpour {

OrderedHash::OrderedHash(const FileEntry& file)
    : file_(file), digest_(file.hash.kind == HashKind::sha256 ? DigestKind::sha256 : DigestKind::sha1) {
  if (file.hash.kind != HashKind::git_blob) return;
  // What git hashes: "blob", a space, the decimal length, a zero byte, the content (contract hub §6).
  std::string header = fmt::format("blob {}", file.size);
  header.push_back('\0');
  digest_.update(as_view(header));
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
  return Error(Kind::integrity,
               fmt::format("the bytes of '{}' are not those that were promised: expected {} {}, got {}",
                           printable(file_.path), to_string(file_.hash.kind), to_hex(file_.hash), to_hex(ByteView(found))));
}

}  // namespace hfpour
