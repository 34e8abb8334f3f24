// SPDX-License-Identifier: MIT
#include "s3/listing_guard.h"

#include <fmt/core.h>

namespace hfpour::s3 {
namespace {

/// A store may skip over deleted keys in pages without an entry, but not for a million of them.
constexpr unsigned most_empty_pages = 1'000;

}  // namespace

Result<void> ListingGuard::pass(std::size_t entries, Bytes bytes, const std::string& mark) {
  if (seen(mark)) return Error(Kind::protocol, fmt::format("the store's listing of {} goes round in a circle", what_));
  empty_ = entries > 0 ? 0 : empty_ + 1;
  if (empty_ >= most_empty_pages) {
    return Error(Kind::protocol, fmt::format("the store's listing of {} has {} empty pages in a row", what_, empty_));
  }
  bytes_ += bytes;
  if (bytes_ <= limit_) return {};
  return Error(Kind::quota,
               fmt::format("the store's listing of {} does not end within {}, which is what --memory leaves for it",
                           what_, format_bytes(limit_)));
}

bool ListingGuard::seen(const std::string& mark) {
  if (steps_ > 0 && mark == kept_) return true;
  if (++steps_ < next_) return false;
  kept_ = mark;
  next_ *= 2;
  return false;
}

}  // namespace hfpour::s3
