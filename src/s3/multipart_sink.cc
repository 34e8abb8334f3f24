// SPDX-License-Identifier: MIT
#include "s3/multipart_sink.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <array>
#include <variant>

#include "base/text.h"
#include "s3/errors.h"
#include "s3/open_uploads.h"
#include "s3/xml.h"

namespace hfpour::s3 {
namespace {

// Amazon S3 User Guide, "multipart upload limits"; the same at Ceph RGW, R2 and B2 (contract s3 §4.1).
constexpr SinkLimits s3_limits{5 * MiB, 5 * GiB, 10'000};

constexpr unsigned most_data_errors = 3;  ///< contract s3 §4.11: then it is no accident any more
constexpr std::string_view wrong_etag_advice =
    "the store's ETag is not the MD5 of what was sent (a store that encrypts needs --upload-check none)";

constexpr std::string_view hash_note = "x-amz-meta-hf-hash";
constexpr std::string_view mark_note = "x-amz-meta-hfpour-upload";

std::string base64(const std::vector<std::byte>& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

Error wrong_whole(const FileEntry& file, const std::string& expected, const std::string& found) {
  return Error(Kind::protocol,
               fmt::format("the store's ETag of '{}' is {}, but its parts make {} (a store that makes other ETags "
                           "needs --upload-check none)",
                           printable(file.path), printable(found, 100), expected));
}

std::string note_of(const ContentHash& hash) {
  return fmt::format("{}:{}", to_string(hash.kind), to_hex(hash));
}

struct ContentType {
  std::string_view ending;
  std::string_view type;
};
constexpr std::array<ContentType, 6> content_types = {{{".json", "application/json"},
                                                       {".md", "text/markdown; charset=utf-8"},
                                                       {".txt", "text/plain; charset=utf-8"},
                                                       {".py", "text/x-python; charset=utf-8"},
                                                       {".png", "image/png"},
                                                       {".jpg", "image/jpeg"}}};

std::string content_type_of(std::string_view path) {
  for (const ContentType& known : content_types) {
    if (path.ends_with(known.ending)) return std::string(known.type);
  }
  return "application/octet-stream";
}

}  // namespace

SinkLimits MultipartSink::limits() const {
  return s3_limits;
}

http::Headers MultipartSink::object_headers(const FileEntry& file) const {
  http::Headers headers;
  headers.add("Content-Type", content_type_of(file.path));
  if (!notes_.repository.empty()) headers.add("x-amz-meta-hf-repo", notes_.repository);
  if (!notes_.commit.empty()) headers.add("x-amz-meta-hf-commit", notes_.commit);
  if (notes_.with_hash) headers.add(std::string(hash_note), note_of(file.hash));
  if (!notes_.mark.empty()) headers.add(std::string(mark_note), notes_.mark);
  return headers;
}

Task<Result<std::string>> MultipartSink::create(const FileEntry& file, CancelToken cancel) {
  Call call;
  call.operation = "CreateMultipartUpload";
  call.method = "POST";
  call.key = key(file);
  call.query.emplace_back("uploads", "");
  call.headers = object_headers(file);
  std::string id;
  const auto read = [&id](const http::Response& answer) -> Result<void> {
    Result<std::string> parsed = parse_create(answer.body);
    if (!parsed) return parsed.error();
    id = std::move(*parsed);
    return {};
  };
  const Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel, read);
  if (!answer) co_return answer.error();
  co_return id;
}

Task<Result<PartReceipt>> MultipartSink::put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                                  Outlet& bytes, CancelToken cancel) {
  Call call;
  call.operation = "UploadPart";
  call.method = "PUT";
  call.key = key(file);
  call.query.emplace_back("partNumber", std::to_string(number));
  call.query.emplace_back("uploadId", upload_id);
  Result<http::Response> answer = co_await bucket_.once(call, &bytes, cancel);
  if (!answer) co_return answer.error();
  const std::optional<std::string> etag = answer->headers.get("ETag");
  // A 200 without an ETag is a proxy speaking, not the store (contract s3 §4.12).
  if (!etag || etag->empty()) co_return Error(Kind::protocol, "the store's answer to UploadPart has no ETag");
  co_return PartReceipt{number, *etag};
}

Task<Result<std::vector<HeldPart>>> MultipartSink::parts(const FileEntry& file, const std::string& upload_id,
                                                         CancelToken cancel) {
  std::vector<HeldPart> held;
  OpenUploads uploads(bucket_);
  const auto keep = [&held](const ListedPart& part) { held.push_back(HeldPart{part.number, part.size, part.etag}); };
  Result<void> listed = co_await uploads.parts(key(file), upload_id, keep, cancel);
  if (!listed) co_return listed.error();
  co_return held;
}

Call MultipartSink::complete_call(const FileEntry& file, const std::string& upload_id,
                                  const std::vector<PartReceipt>& parts) const {
  std::vector<CompletedPart> completed;
  for (const PartReceipt& part : parts) completed.push_back(CompletedPart{part.number, part.etag});
  Call call;
  call.operation = "CompleteMultipartUpload";
  call.method = "POST";
  call.key = key(file);
  call.query.emplace_back("uploadId", upload_id);
  call.headers.add("Content-Type", "application/xml");
  call.body = complete_body(completed);
  return call;
}

Task<Result<std::string>> MultipartSink::complete(const FileEntry& file, const std::string& upload_id,
                                                  const std::vector<PartReceipt>& parts,
                                                  const std::string& expected_etag, CancelToken cancel) {
  const Call call = complete_call(file, upload_id, parts);
  const std::string what = "completing '" + printable(file.path) + "'";
  Backoff backoff = bucket_.new_backoff();
  while (true) {
    Result<std::string> etag = co_await complete_once(call, cancel);
    const bool as_expected = etag && (expected_etag.empty() || *etag == expected_etag);
    if (as_expected && !etag->empty()) co_return etag;
    // An empty ETag is what Ceph RGW says of a success it had before; anything else is doubt. The object knows.
    Result<Seen> seen = co_await look(file, expected_etag, cancel);
    if (!seen) co_return seen.error();
    // The upload is gone, or the store has other parts than we sent: only a new upload helps.
    const std::string code = etag ? "" : etag.error().code;
    const bool lost = code == "NoSuchUpload" || code == "InvalidPart" || code == "InvalidPartOrder";
    if (seen->ours) {
      // Or another run's of the same bytes. An upload that is open all the same is not aborted, since a Complete may
      // still be at work on it: it is completed, too.
      const bool open = !etag && !lost && co_await upload_state(file, upload_id, cancel) == UploadState::open;
      if (!open) co_return seen->etag;
      Result<void> again = co_await bucket_.wait_after(etag.error(), what, backoff, cancel);
      if (!again) co_return seen->etag;
      continue;
    }
    // It put together something else than it acknowledged, or its ETags are something else: once more would end the
    // same way.
    if (etag && !etag->empty()) co_return wrong_whole(file, expected_etag, *etag);
    // Ceph answers 500 for an upload it does not know (contract s3 §4.4): ask for its parts before trying for minutes.
    bool unknown = false;
    if (!lost && !etag && backoff.failures() > 0)
      unknown = co_await upload_state(file, upload_id, cancel) == UploadState::gone;
    if (lost || unknown) {
      Error gone = etag.error();
      gone.kind = Kind::expired;
      co_return gone;
    }
    Error doubt = etag ? Error(Kind::unavailable, "the store called the upload complete, and the object is not there")
                       : etag.error();
    Result<void> again = co_await bucket_.wait_after(std::move(doubt), what, backoff, cancel);
    if (!again) co_return again.error();
  }
}

Task<MultipartSink::UploadState> MultipartSink::upload_state(const FileEntry& file, const std::string& upload_id,
                                                             CancelToken cancel) {
  Call call;
  call.operation = "ListParts";
  call.method = "GET";
  call.key = key(file);
  call.query.emplace_back("max-parts", "1");
  call.query.emplace_back("uploadId", upload_id);
  const Result<http::Response> answer = co_await bucket_.once(call, nullptr, cancel);
  if (answer) co_return UploadState::open;
  co_return answer.error().kind == Kind::expired ? UploadState::gone : UploadState::unknown;
}

/// The ETag of a parsed success, maybe empty; else an error.
Task<Result<std::string>> MultipartSink::complete_once(const Call& call, CancelToken cancel) {
  Result<http::Response> answer = co_await bucket_.once(call, nullptr, cancel);
  if (!answer) co_return answer.error();
  Result<std::variant<Completed, ErrorDocument>> parsed = parse_complete(answer->body);
  if (!parsed) co_return parsed.error();
  if (const Completed* const done = std::get_if<Completed>(&*parsed)) co_return normalise_etag(done->etag);
  co_return to_error(call.operation, *answer);
}

bool MultipartSink::bears_our_note(const FileEntry& file, const http::Headers& headers) const {
  if (notes_.with_hash) return headers.get(hash_note) == note_of(file.hash);
  return !notes_.mark.empty() && headers.get(mark_note) == notes_.mark;
}

/// The ETag of the object that is there, and whether it is the one just uploaded: of the right size, and with the
/// expected ETag. Where that is not known, our own note must do: of the hash, which no object bears that has not passed
/// the gate, or the run's mark.
Task<Result<MultipartSink::Seen>> MultipartSink::look(const FileEntry& file, const std::string& expected_etag,
                                                      CancelToken cancel) {
  Call call;
  call.operation = "HeadObject";
  call.method = "HEAD";
  call.key = key(file);
  const Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel);
  Seen seen;
  if (!answer) {
    // Without the right to list, a store says 403 for a missing object (contract s3 §4.8).
    const Kind kind = answer.error().kind;
    if (kind == Kind::not_found || kind == Kind::forbidden) co_return seen;
    co_return answer.error();
  }
  seen.etag = normalise_etag(answer->headers.get("ETag").value_or(""));
  const bool same_size = parse_decimal(answer->headers.get("Content-Length").value_or("")) == file.size;
  // Where ETags are MD5s, another one means other bytes, whatever the notes say.
  const bool ours = expected_etag.empty() ? bears_our_note(file, answer->headers) : seen.etag == expected_etag;
  seen.ours = same_size && ours && !seen.etag.empty();
  co_return seen;
}

Task<Result<void>> MultipartSink::abort(const FileEntry& file, const std::string& upload_id, CancelToken cancel) {
  OpenUploads uploads(bucket_);
  Result<void> aborted = co_await uploads.abort(key(file), upload_id, cancel);
  co_return aborted;
}

Task<Result<std::string>> MultipartSink::put_object(const FileEntry& file, Outlet& bytes,
                                                    const std::vector<std::byte>& md5, CancelToken cancel) {
  Call call;
  call.operation = "PutObject";
  call.method = "PUT";
  call.key = key(file);
  call.headers = object_headers(file);
  if (!md5.empty()) call.headers.add("Content-MD5", base64(md5));
  Backoff backoff = bucket_.new_backoff();
  unsigned data_errors = 0;
  while (true) {
    // Nothing to stream in an empty file: its body is the empty string, signed.
    Result<http::Response> answer = co_await bucket_.once(call, bytes.length() > 0 ? &bytes : nullptr, cancel);
    Error error(Kind::protocol, "the store's answer to PutObject has no ETag");
    if (answer) {
      const std::string etag = normalise_etag(answer->headers.get("ETag").value_or(""));
      const bool differs = etags_are_md5_ && !md5.empty() && etag.size() == 32 && etag != to_hex(ByteView(md5));
      if (!etag.empty() && !differs) co_return etag;
      if (differs) error.sentence = std::string(wrong_etag_advice);
    } else {
      error = answer.error();
    }
    if (error.kind == Kind::protocol && ++data_errors >= most_data_errors) co_return error;
    Result<void> again =
        co_await bucket_.wait_after(std::move(error), "storing '" + printable(file.path) + "'", backoff, cancel);
    if (!again) co_return again.error();
    if (!bytes.rewind()) co_return Error(Kind::internal, "the bytes are gone");
  }
}

}  // namespace hfpour::s3
