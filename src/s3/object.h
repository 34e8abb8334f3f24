// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "s3/bucket.h"
#include "transfer/source.h"

namespace hfpour::s3 {

/// One object by its address.
struct ObjectName {
  std::string bucket;
  std::string key;
};

/// Reads `s3://bucket/key`. The key is taken literally: `%`, `?` and `#` are characters of it. Errors: `usage`, naming
/// the value and the rule; for a bucket or a folder, that an object is wanted. Pure; any thread.
Result<ObjectName> parse_object_name(std::string_view text);

/// One object as it was when it was looked at.
struct ObjectFacts {
  FileEntry file;           ///< `path` is the key
  bool hash_known = false;  ///< `file.hash` is what hfpour noted when it stored the object
  std::string etag;         ///< verbatim
};

/// Looks at an object. Errors: `not_found`, `forbidden`, the store's. Loop thread.
Task<Result<ObjectFacts>> look_at(Bucket& bucket, std::string key, CancelToken cancel);

/// `Source` of exactly one state of one object: bytes of an object that was replaced meanwhile are never mixed in. The
/// store is asked with If-Match, and the ETag of each answer is compared besides, for stores that ignore the condition.
/// Loop thread.
class PinnedSource final : public Source {
 public:
  PinnedSource(Bucket& bucket, const ObjectFacts& facts) : bucket_(bucket), facts_(facts) {}

  /// Errors also: `unavailable`, at once, when the object has changed.
  Task<Result<void>> stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) override;
  void distrust(const FileEntry&) override {}
  void done(const FileEntry&) override {}

 private:
  Bucket& bucket_;
  const ObjectFacts& facts_;
};

}  // namespace hfpour::s3
