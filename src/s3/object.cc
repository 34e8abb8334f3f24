// SPDX-License-Identifier: MIT
#include "s3/object.h"

#include <fmt/core.h>

#include "base/log.h"
#include "base/text.h"
#include "http/headers.h"
#include "s3/counting_inlet.h"
#include "s3/location.h"
#include "s3/xml.h"

namespace hfpour::s3 {
namespace {

constexpr std::string_view scheme = "s3://";

Error changed(const std::string& uri) {
  return Error(Kind::unavailable, "'" + printable(uri) + "' was replaced or removed while it was being read");
}

}  // namespace

Result<ObjectName> parse_object_name(std::string_view text) {
  const std::size_t slash = text.starts_with(scheme) ? text.find('/', scheme.size()) : std::string_view::npos;
  // The bucket by the rules of destinations, which also keep a secret in the address from being repeated.
  const Result<Destination> bucket = parse_destination(text.substr(0, slash));
  if (!bucket) return bucket.error();
  const std::string key(slash == std::string_view::npos ? "" : text.substr(slash + 1));
  if (key.empty() || key.ends_with('/')) {
    return Error(Kind::usage, fmt::format("'{}' names no object: write s3://bucket/key", printable(redact(text), 100)));
  }
  const Result<void> good = check_key(key);
  if (!good) return Error(Kind::usage, good.error().sentence);
  return ObjectName{bucket->bucket, key};
}

Task<Result<ObjectFacts>> look_at(Bucket& bucket, std::string key, CancelToken cancel) {
  Call call;
  call.operation = "HeadObject";
  call.method = "HEAD";
  call.key = key;
  const Result<http::Response> answer = co_await bucket.call(std::move(call), cancel);
  if (!answer && answer.error().kind == Kind::not_found) {
    co_return Error(Kind::not_found, "there is no '" + printable(bucket.uri(key)) + "'");
  }
  if (!answer) co_return answer.error().at(printable(bucket.uri(key)));
  ObjectFacts facts;
  facts.file.path = key;
  facts.etag = answer->headers.get("ETag").value_or("");
  const std::optional<Bytes> size = parse_decimal(answer->headers.get("Content-Length").value_or(""));
  if (!size || facts.etag.empty())
    co_return Error(Kind::protocol, "the store's answer to HeadObject has no size or no ETag");
  facts.file.size = *size;
  const std::string note = answer->headers.get("x-amz-meta-hf-hash").value_or("");
  const std::size_t colon = note.find(':');
  const std::optional<ContentHash> hash =
      colon == std::string::npos ? std::nullopt : parse_hash(note.substr(0, colon), note.substr(colon + 1));
  facts.hash_known = hash.has_value();
  if (hash) facts.file.hash = *hash;
  co_return facts;
}

Task<Result<void>> PinnedSource::stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) {
  CountingInlet counted(inlet, range.size());
  Backoff backoff = bucket_.new_backoff();
  const std::string uri = bucket_.uri(file.path);
  while (counted.count() < range.size()) {
    const ByteRange left{range.begin + counted.count(), range.end};
    Call call;
    call.operation = "GetObject";
    call.method = "GET";
    call.key = file.path;
    call.headers.add("Range", fmt::format("bytes={}-{}", left.begin, left.end - 1));
    call.headers.add("If-Match", facts_.etag);
    bool other = false;
    const auto pinned = [&other, left, &facts = facts_](const http::Response& answer) {
      other = normalise_etag(answer.headers.get("ETag").value_or("")) != normalise_etag(facts.etag);
      const auto said = http::parse_content_range(answer.headers.get("Content-Range").value_or(""));
      return !other && said && said->begin == left.begin && said->end == left.end;
    };
    Result<http::Response> answer = co_await bucket_.receive(call, counted, cancel, pinned);
    if (counted.count() == range.size()) break;
    const int status = answer ? answer->status : answer.error().http_status;
    if (other || status == 412 || status == 404 || status == 416) co_return changed(uri);
    if (range.begin + counted.count() > left.begin) backoff.progress();
    Error error = answer ? Error(Kind::network, "the store's answer ended early") : answer.error();
    Result<void> again =
        co_await bucket_.wait_after(std::move(error), "reading '" + printable(uri) + "'", backoff, cancel);
    if (!again) co_return again.error();
  }
  co_return Result<void>();
}

}  // namespace hfpour::s3
