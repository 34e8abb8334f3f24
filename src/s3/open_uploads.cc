// SPDX-License-Identifier: MIT
#include "s3/open_uploads.h"

#include <algorithm>

#include "base/text.h"

namespace hfpour::s3 {
namespace {

constexpr unsigned most_aborts = 5;

}  // namespace

bool CircleGuard::pass(const std::string& mark) {
  if (steps_ > 0 && mark == kept_) return false;
  if (++steps_ < limit_) return true;
  kept_ = mark;
  limit_ *= 2;
  return true;
}

Task<Result<void>> OpenUploads::list(std::string prefix, std::function<void(ListedUpload)> each, CancelToken cancel) {
  UploadPage page;
  CircleGuard guard;
  do {
    Call call;
    call.operation = "ListMultipartUploads";
    call.method = "GET";
    call.query.emplace_back("uploads", "");
    call.query.emplace_back("prefix", prefix);
    call.query.emplace_back("encoding-type", "url");
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
    for (ListedUpload& upload : page.uploads) {
      if (upload.key.starts_with(prefix)) each(std::move(upload));
    }
    const std::string mark = page.next_key_marker + '\n' + page.next_upload_id_marker;
    if (page.is_truncated && !guard.pass(mark)) {
      co_return Error(Kind::protocol, "the store's listing of open uploads goes round in a circle");
    }
  } while (page.is_truncated);
  co_return Result<void>();
}

Task<Result<PartPage>> OpenUploads::parts(const ListedUpload& upload, std::string marker, CancelToken cancel) {
  Call call;
  call.operation = "ListParts";
  call.method = "GET";
  call.key = upload.key;
  call.query.emplace_back("uploadId", upload.upload_id);
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

Task<Result<std::optional<WallTime>>> OpenUploads::last_part(ListedUpload upload, CancelToken cancel) {
  std::optional<WallTime> last;
  std::string marker;
  CircleGuard guard;
  while (true) {
    Result<PartPage> page = co_await parts(upload, marker, cancel);
    if (!page) co_return page.error();
    for (const ListedPart& part : page->parts) {
      if (part.modified && (!last || *part.modified > *last)) last = part.modified;
    }
    if (!page->is_truncated) co_return last;
    marker = page->next_marker;
    if (!guard.pass(marker)) co_return Error(Kind::protocol, "the store's listing of parts goes round in a circle");
  }
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
