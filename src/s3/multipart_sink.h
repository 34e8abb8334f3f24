// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "s3/bucket.h"
#include "transfer/sink.h"

namespace hfpour::s3 {

/// What every object of a run carries as user metadata. ASCII; what is empty is left out.
struct ObjectNotes {
  std::string repository;
  std::string commit;
  bool with_hash = true;  ///< the hash of each file is known, and noted as well
  std::string mark = "";  ///< tells the uploads of this run from all others where no hash can
};

/// `Sink` on S3: multipart uploads, or one PutObject for a small file. Loop thread.
class MultipartSink final : public Sink {
 public:
  /// `base` is the key prefix of the repository's place, ending with `/`. `etags_are_md5`: an ETag of 32 digits must be
  /// the MD5 of what was sent, which stores that encrypt do not keep to.
  MultipartSink(Bucket& bucket, std::string base, ObjectNotes notes, bool etags_are_md5)
      : bucket_(bucket), base_(std::move(base)), notes_(std::move(notes)), etags_are_md5_(etags_are_md5) {}

  SinkLimits limits() const override;
  Task<Result<std::string>> create(const FileEntry& file, CancelToken cancel) override;
  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override;
  Task<Result<std::vector<HeldPart>>> parts(const FileEntry& file, const std::string& upload_id,
                                            CancelToken cancel) override;
  Task<Result<std::string>> complete(const FileEntry& file, const std::string& upload_id,
                                     const std::vector<PartReceipt>& parts, const std::string& expected_etag,
                                     CancelToken cancel) override;
  Task<Result<void>> abort(const FileEntry& file, const std::string& upload_id, CancelToken cancel) override;
  Task<Result<std::string>> put_object(const FileEntry& file, Outlet& bytes, const std::vector<std::byte>& md5,
                                       CancelToken cancel) override;

 private:
  Call complete_call(const FileEntry& file, const std::string& upload_id, const std::vector<PartReceipt>& parts) const;
  Task<Result<std::string>> complete_once(const Call& call, CancelToken cancel);
  enum class UploadState { open, gone, unknown };
  Task<UploadState> upload_state(const FileEntry& file, const std::string& upload_id, CancelToken cancel);
  /// What HEAD says of the object after a doubtful Complete.
  struct Seen {
    std::string etag;  ///< normalised; empty when it is not there
    bool ours = false;
  };
  bool bears_our_note(const FileEntry& file, const http::Headers& headers) const;
  Task<Result<Seen>> look(const FileEntry& file, const std::string& expected_etag, CancelToken cancel);
  std::string key(const FileEntry& file) const { return base_ + file.path; }
  http::Headers object_headers(const FileEntry& file) const;

  Bucket& bucket_;
  std::string base_;
  ObjectNotes notes_;
  bool etags_are_md5_;
};

}  // namespace hfpour::s3
