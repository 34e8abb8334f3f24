// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "transfer/sink.h"

namespace hfpour::testing {

/// Hands every call on to another sink, for those that change one of them. Loop thread.
class ForwardingSink : public Sink {
 public:
  explicit ForwardingSink(Sink& inner) : inner_(inner) {}
  SinkLimits limits() const override { return inner_.limits(); }
  Task<Result<std::string>> create(const FileEntry& file, CancelToken cancel) override {
    return inner_.create(file, cancel);
  }
  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override {
    return inner_.put_part(file, upload_id, number, bytes, cancel);
  }
  Task<Result<std::vector<HeldPart>>> parts(const FileEntry& file, const std::string& upload_id,
                                            CancelToken cancel) override {
    return inner_.parts(file, upload_id, cancel);
  }
  Task<Result<std::string>> complete(const FileEntry& file, const std::string& upload_id,
                                     const std::vector<PartReceipt>& parts, const std::string& expected_etag,
                                     CancelToken cancel) override {
    return inner_.complete(file, upload_id, parts, expected_etag, cancel);
  }
  Task<Result<void>> abort(const FileEntry& file, const std::string& upload_id, CancelToken cancel) override {
    return inner_.abort(file, upload_id, cancel);
  }
  Task<Result<std::string>> put_object(const FileEntry& file, Outlet& bytes, const std::vector<std::byte>& md5,
                                       CancelToken cancel) override {
    return inner_.put_object(file, bytes, md5, cancel);
  }

 private:
  Sink& inner_;
};

}  // namespace hfpour::testing
