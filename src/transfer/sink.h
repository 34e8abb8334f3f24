// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "buffer/flow.h"
#include "loop/cancel.h"
#include "loop/task.h"
#include "transfer/file_entry.h"

namespace hfpour {

/// The answer to `create` is awaited for so long after a cancellation: an upload whose id nobody knows cannot be
/// dropped.
constexpr Millis create_grace{2'000};
/// For dropping an upload. With `create_grace` before it and what `run/` does after it, inside the 10 s of a SIGTERM.
constexpr Millis abort_deadline{4'000};

/// What a sink can take. Sizes in bytes.
struct SinkLimits {
  Bytes min_part = 0;  ///< of every part but the last
  Bytes max_part = 0;
  unsigned max_parts = 0;
};

/// One part the sink has acknowledged.
struct PartReceipt {
  unsigned number = 0;  ///< from 1
  std::string etag;     ///< verbatim, as it must be given back
};

/// One part that the sink says it holds.
struct HeldPart {
  unsigned number = 0;  ///< from 1
  Bytes size = 0;
  std::string etag;  ///< as the sink writes it there, which may differ from the receipt in quotes
};

/// Port: a multipart destination. Nothing is visible under a file's name until `complete` or `put_object` succeeds, and
/// then all of it is. Loop thread.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual SinkLimits limits() const = 0;

  /// Begins an upload and gives its id. Retried inside.
  virtual Task<Result<std::string>> create(const FileEntry& file, CancelToken cancel) = 0;

  /// Sends one part, once: its bytes are gone when it fails, so the caller decides about another attempt.
  virtual Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                             Outlet& bytes, CancelToken cancel) = 0;

  /// The parts of an upload that are there. Retried inside. Errors: `expired` when there is no such upload.
  virtual Task<Result<std::vector<HeldPart>>> parts(const FileEntry& file, const std::string& upload_id,
                                                    CancelToken cancel) = 0;

  /// Makes the file visible. `parts` in ascending order; `expected_etag` is what a trustworthy store will call the
  /// object, empty when unknown. A doubtful answer is settled by looking at the object. Gives the object's ETag.
  virtual Task<Result<std::string>> complete(const FileEntry& file, const std::string& upload_id,
                                             const std::vector<PartReceipt>& parts, const std::string& expected_etag,
                                             CancelToken cancel) = 0;

  /// Drops an upload and what was stored for it. One that is already gone is a success.
  virtual Task<Result<void>> abort(const FileEntry& file, const std::string& upload_id, CancelToken cancel) = 0;

  /// Stores a whole file in one request; `bytes` can be rewound, so it is retried inside. `md5` is the digest that the
  /// other side must find before the file becomes visible; empty for an empty file. Gives the object's ETag.
  virtual Task<Result<std::string>> put_object(const FileEntry& file, Outlet& bytes, const std::vector<std::byte>& md5,
                                               CancelToken cancel) = 0;
};

}  // namespace hfpour
