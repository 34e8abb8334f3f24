// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "s3/bucket.h"
#include "transfer/store.h"

namespace hfpour::s3 {

/// `Store` on S3: small objects and listings below one key prefix. Loop thread.
class ObjectStore final : public Store {
 public:
  /// `base` ends with `/`. `listing_limit`: how many bytes of memory the objects of a listing may take.
  ObjectStore(Bucket& bucket, std::string base, Bytes listing_limit)
      : bucket_(bucket), base_(std::move(base)), listing_limit_(listing_limit) {}

  Task<Result<std::optional<std::string>>> get(std::string_view name, Bytes limit, CancelToken cancel) override;
  Task<Result<void>> put(std::string_view name, std::string body, CancelToken cancel) override;
  Task<Result<void>> remove(std::string_view name, CancelToken cancel) override;
  Task<Result<Created>> create(std::string_view name, std::string body, CancelToken cancel) override;
  Task<Result<void>> list(std::string_view start, std::function<void(const hfpour::ListedObject&)> each,
                          CancelToken cancel) override;

 private:
  Call put_call(std::string_view name, std::string body) const;

  Bucket& bucket_;
  std::string base_;
  Bytes listing_limit_;
};

}  // namespace hfpour::s3
