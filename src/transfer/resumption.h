// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "transfer/services.h"
#include "transfer/unfinished.h"

namespace hfpour {

/// What an earlier run left of each file that can be gone on with.
using Leftovers = std::map<const FileEntry*, Unfinished>;

/// Looks at the uploads that an earlier run left open, and believes its notes only as far as the sink bears them out: a
/// part that the sink does not have, or has otherwise, is fetched again; an upload whose notes make no sense is
/// dropped, and its file begun anew. Loop thread.
class Resumption {
 public:
  /// `files` are those to be poured; what was left of others is not looked at.
  Resumption(const Services& services, const std::vector<const FileEntry*>& files, std::vector<UnfinishedFile> left,
             Bytes part_size);

  /// Errors: the sink's, when it cannot be asked; the token's.
  Task<Result<Leftovers>> run(CancelToken cancel);

 private:
  struct Item {
    const FileEntry* file = nullptr;
    Unfinished upload;
  };

  Task<Result<void>> work(CancelToken cancel);
  Task<Result<void>> settle(Item item, CancelToken cancel);
  Task<void> refuse(Item item, std::string why, CancelToken cancel);
  std::optional<std::string> doubt(const Item& item) const;

  const Services& services_;
  Bytes part_size_;
  std::vector<Item> items_;
  std::size_t next_ = 0;
  Leftovers good_;
};

}  // namespace hfpour
