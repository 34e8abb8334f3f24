// SPDX-License-Identifier: MIT
#include "s3/object_store.h"

#include <optional>

#include "base/text.h"
#include "s3/errors.h"
#include "s3/listing_guard.h"
#include "s3/xml.h"

namespace hfpour::s3 {

Task<Result<std::optional<std::string>>> ObjectStore::get(std::string_view name, Bytes limit, CancelToken cancel) {
  Call call;
  call.operation = "GetObject";
  call.method = "GET";
  call.key = base_ + std::string(name);
  call.answer_limit = limit;
  Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel);
  std::optional<std::string> body;
  if (answer) {
    body = std::move(answer->body);
  } else if (answer.error().kind != Kind::not_found || answer.error().code == "NoSuchBucket") {
    co_return answer.error();
  }
  co_return body;
}

Call ObjectStore::put_call(std::string_view name, std::string body) const {
  Call call;
  call.operation = "PutObject";
  call.method = "PUT";
  call.key = base_ + std::string(name);
  call.headers.add("Content-Type", "application/json");
  call.body = std::move(body);
  return call;
}

Task<Result<void>> ObjectStore::put(std::string_view name, std::string body, CancelToken cancel) {
  // A 200 without an ETag is a proxy speaking, not the store (contract s3 §4.12).
  const auto stored = [](const http::Response& reply) -> Result<void> {
    if (!reply.headers.get("ETag").value_or("").empty()) return {};
    return Error(Kind::protocol, "the store's answer to PutObject has no ETag");
  };
  const Result<http::Response> answer = co_await bucket_.call(put_call(name, std::move(body)), cancel, stored);
  if (!answer) co_return answer.error();
  co_return Result<void>();
}

Task<Result<Store::Created>> ObjectStore::create(std::string_view name, std::string body, CancelToken cancel) {
  Call call = put_call(name, std::move(body));
  call.headers.add("If-None-Match", "*");
  const std::string what = "creating '" + printable(call.key) + "'";
  Backoff backoff = bucket_.new_backoff();
  while (true) {
    const Result<http::Response> answer = co_await bucket_.once(call, nullptr, cancel);
    if (answer) co_return Created::yes;
    const Error& error = answer.error();
    // 409 is a race that another request has won, or is about to (contract s3 §4.7).
    if (error.http_status == 409 || error.http_status == 412) co_return Created::exists;
    if (error.http_status == 501) co_return Created::unsupported;
    if (!is_retryable(error.kind)) co_return error;
    Result<void> again = co_await bucket_.wait_after(error, what, backoff, cancel);
    if (!again) co_return again.error();
  }
}

Task<Result<void>> ObjectStore::remove(std::string_view name, CancelToken cancel) {
  Call call;
  call.operation = "DeleteObject";
  call.method = "DELETE";
  call.key = base_ + std::string(name);
  const Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel);
  if (!answer && answer.error().kind != Kind::not_found) co_return answer.error();
  co_return Result<void>();
}

Task<Result<void>> ObjectStore::list(std::string_view start, std::function<void(const hfpour::ListedObject&)> each,
                                     CancelToken cancel) {
  const std::string prefix = base_ + std::string(start);
  std::string token;
  ListingGuard guard("'" + printable(bucket_.uri(base_)) + "'", listing_limit_);
  while (true) {
    Call call;
    call.operation = "ListObjectsV2";
    call.method = "GET";
    call.query.emplace_back("list-type", "2");
    call.query.emplace_back("prefix", prefix);
    call.query.emplace_back("encoding-type", "url");
    call.query.emplace_back("max-keys", "1000");
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    call.answer_limit = max_document;
    std::optional<ObjectPage> page;
    const auto read = [&page](const http::Response& answer) -> Result<void> {
      Result<ObjectPage> parsed = parse_objects(answer.body);
      if (!parsed) return parsed.error().at("listing the bucket");
      page = std::move(*parsed);
      return {};
    };
    const Result<http::Response> answer = co_await bucket_.call(std::move(call), cancel, read);
    if (!answer) co_return answer.error();
    Bytes bytes = 0;
    for (const s3::ListedObject& object : page->objects) {
      bytes += sizeof(hfpour::ListedObject) + object.key.size() + object.etag.size();
      if (object.key.starts_with(base_))
        each(hfpour::ListedObject{object.key.substr(base_.size()), object.size, object.etag});
    }
    if (!page->is_truncated) co_return Result<void>();
    Result<void> goes_on = guard.pass(page->objects.size(), bytes, page->next_token);
    if (!goes_on) co_return goes_on;
    token = page->next_token;
  }
}

}  // namespace hfpour::s3
