// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace hfpour::s3 {

/// Ends a listing that has no end: one whose marks go round in a circle, whose pages stay empty, or that grows beyond
/// what there is memory for. Loop thread.
class ListingGuard {
 public:
  /// `what` is listed, for the sentence; `limit` is the memory in bytes that the entries of all pages may take
  /// together.
  ListingGuard(std::string what, Bytes limit) : what_(std::move(what)), limit_(limit) {}

  /// To be asked after each page that is not the last: its entries, the bytes they take, the mark of the next page.
  /// Errors: `protocol` for a circle, of any length, or 1,000 empty pages in a row; `quota` when the limit is passed.
  Result<void> pass(std::size_t entries, Bytes bytes, const std::string& mark);

 private:
  bool seen(const std::string& mark);

  std::string what_;
  Bytes limit_;
  Bytes bytes_ = 0;
  unsigned empty_ = 0;
  std::string kept_;  ///< a mark from time to time, not each: Brent's algorithm
  std::uint64_t steps_ = 0;
  std::uint64_t next_ = 1;
};

}  // namespace hfpour::s3
