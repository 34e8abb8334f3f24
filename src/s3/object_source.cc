// SPDX-License-Identifier: MIT
#include "s3/object_source.h"

#include <fmt/core.h>

#include "base/text.h"
#include "s3/counting_inlet.h"

namespace hfpour::s3 {
Task<Result<void>> ObjectSource::stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) {
  CountingInlet counted(inlet);
  Backoff backoff = bucket_.new_backoff();
  const std::string what = "reading '" + printable(file.path) + "' back";
  while (counted.count() < range.size()) {
    const Bytes before = counted.count();
    Call call;
    call.operation = "GetObject";
    call.method = "GET";
    call.key = base_ + file.path;
    call.headers.add("Range", fmt::format("bytes={}-{}", range.begin + before, range.end - 1));
    Result<http::Response> answer = co_await bucket_.receive(call, counted, cancel);
    if (counted.count() == range.size()) break;
    if (counted.count() > before) backoff.progress();
    Error error = answer ? Error(Kind::network, "the store's answer ended early") : answer.error();
    Result<void> again = co_await bucket_.wait_after(std::move(error), what, backoff, cancel);
    if (!again) co_return again.error();
  }
  co_return Result<void>();
}

}  // namespace hfpour::s3
