// SPDX-License-Identifier: MIT
#include "s3/open_uploads.h"

#include <algorithm>

#include "base/text.h"
#include "s3/listing_guard.h"

namespace hfpour::s3 {
namespace {

constexpr unsigned most_aborts = 5;
constexpr Bytes most_part_bytes = 100'000;  ///< one each, as none is kept: ten times what an upload may have

}  // namespace

Task<Result<void>> OpenUploads::list(std::string prefix, Bytes limit, std::function<void(ListedUpload)> each,
                                     CancelToken cancel) {
  UploadPage page;
  ListingGuard guard("open uploads", limit);
  while (true) {
    Call call;
    call.operation = "ListMultipartUploads";
    call.method = "GET";
    call.query.emplace_back("uploads", "");
    call.query.emplace_back("prefix", prefix);
    // No encoding-type: Ceph RGW 16 then encodes the keys, does not say so, and leaves the markers as they are.
    call.query.emplace_back("max-uploads", "1000");
    if (!page.next_key_marker.empty()) {
      call.query.emplace_back("key-marker", page.next_key_marker);
      call.query.emplace_back("upload-id-marker", page.next_upload_id_marker);
    }
    call.answer_limit = max_document;
    const auto read = [&page](const http::Response& answer) -> Result<void> {
      Result<UploadPage> parsed = parse_uploads(answer.body);
      if (!parsed) return parsed.error().at("listing the open uploads");
      page = std::move(*parsed);
      return {};
    };
    const Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel, read);
    if (!answer) co_return answer.error();
    const std::size_t entries = page.uploads.size();
    Bytes bytes = 0;
    for (ListedUpload& upload : page.uploads) {
      bytes += sizeof(ListedUpload) + upload.key.size() + upload.upload_id.size();
      if (upload.key.starts_with(prefix)) each(std::move(upload));
    }
    if (!page.is_truncated) co_return Result<void>();
    Result<void> goes_on = guard.pass(entries, bytes, page.next_key_marker + '\n' + page.next_upload_id_marker);
    if (!goes_on) co_return goes_on;
  }
}

Task<Result<PartPage>> OpenUploads::part_page(const std::string& key, const std::string& upload_id, std::string marker,
                                              CancelToken cancel) {
  Call call;
  call.operation = "ListParts";
  call.method = "GET";
  call.key = key;
  call.query.emplace_back("uploadId", upload_id);
  call.query.emplace_back("max-parts", "1000");
  if (!marker.empty()) call.query.emplace_back("part-number-marker", marker);
  call.answer_limit = max_document;
  PartPage page;
  const auto read = [&page](const http::Response& answer) -> Result<void> {
    Result<PartPage> parsed = parse_parts(answer.body);
    if (!parsed) return parsed.error().at("listing the parts of an upload");
    page = std::move(*parsed);
    return {};
  };
  const Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel, read);
  if (!answer) co_return answer.error();
  co_return page;
}

Task<Result<void>> OpenUploads::parts(std::string key, std::string upload_id,
                                      std::function<void(const ListedPart&)> each, CancelToken cancel) {
  std::string marker;
  ListingGuard guard("an upload's parts", most_part_bytes);
  while (true) {
    Result<PartPage> page = co_await part_page(key, upload_id, marker, cancel);
    if (!page) co_return page.error();
    for (const ListedPart& part : page->parts) each(part);
    if (!page->is_truncated) co_return Result<void>();
    marker = page->next_marker;
    Result<void> goes_on = guard.pass(page->parts.size(), page->parts.size(), marker);
    if (!goes_on) co_return goes_on;
  }
}

Task<Result<std::optional<WallTime>>> OpenUploads::last_part(ListedUpload upload, CancelToken cancel) {
  std::optional<WallTime> last;
  const auto look = [&last](const ListedPart& part) {
    if (part.modified && (!last || *part.modified > *last)) last = part.modified;
  };
  Result<void> listed = co_await parts(upload.key, upload.upload_id, look, cancel);
  if (!listed) co_return listed.error();
  co_return last;
}

Task<Result<void>> OpenUploads::abort(std::string key, std::string upload_id, CancelToken cancel) {
  Call call;
  call.operation = "AbortMultipartUpload";
  call.method = "DELETE";
  call.key = std::move(key);
  call.query.emplace_back("uploadId", upload_id);
  for (unsigned i = 0; i < most_aborts; ++i) {
    const Result<http::Response> answer = co_await bucket_.call(call, cancel);
    if (!answer && answer.error().http_status == 404) co_return Result<void>();
    if (!answer) co_return answer.error();
  }
  co_return Result<void>();
}

}  // namespace hfpour::s3
