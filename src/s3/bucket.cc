// SPDX-License-Identifier: MIT
#include "s3/bucket.h"

#include <fmt/core.h>

#include "base/text.h"
#include "http/exchange.h"
#include "http/remote_sender.h"
#include "s3/errors.h"
#include "s3/xml.h"

namespace hfpour::s3 {
namespace {
constexpr unsigned most_nonsense = 3;
}  // namespace

Task<Result<http::Response>> Bucket::call(Call call, CancelToken cancel, Check check) {
  Backoff backoff = new_backoff();
  unsigned nonsense = 0;
  const std::string what = call.key.empty() ? call.operation : call.operation + " of '" + printable(call.key) + "'";
  while (true) {
    Result<http::Response> answer = co_await once(call, nullptr, cancel);
    if (answer && check) {
      Result<void> readable = check(*answer);
      if (!readable) answer = readable.error();
    }
    if (answer || answer.error().kind == Kind::expired) co_return answer;
    // What makes no sense three times is no accident.
    if (answer.error().kind == Kind::protocol && ++nonsense >= most_nonsense) co_return answer;
    Result<void> again = co_await wait_after(answer.error(), what, backoff, cancel);
    if (!again) co_return again.error();
  }
}

Task<Result<http::Response>> Bucket::once(const Call& call, Outlet* outlet, CancelToken cancel) {
  bool mended = false;
  while (true) {
    Result<Credentials> keys = co_await keys_.get(cancel);
    if (!keys) co_return keys.error();
    const Signing used{location_.region(), clock_offset_, *keys};
    Result<http::Response> answer = co_await exchange(call, outlet, used.keys, cancel);
    if (!answer) co_return answer.error();
    // A 200 may hold an error (contract s3 §4.4, §4.8); the body of an object is its own business.
    const bool refused = call.operation != "GetObject" && parse_error(answer->body).has_value();
    if (answer->status / 100 == 2 && !refused) {
      // Whoever calls it a success before the body was there cannot have stored it.
      if (outlet != nullptr && answer->sent != outlet->length()) {
        co_return Error(Kind::protocol, fmt::format("the store answered {} before it had all bytes", call.operation));
      }
      co_return answer;
    }
    Error error = to_error(call.operation, *answer).at(location_.signing_host());
    const Remedy remedy = remedy_for(*answer, server_time());
    if (!mend(remedy, *answer, used)) co_return error;
    if (!mended && (outlet == nullptr || outlet->rewind())) {
      mended = true;
      continue;
    }
    // Either the body is gone, and the part sent again will be signed rightly; or the store's machines disagree
    // about the time, and the patience of the retries decides.
    if (!mended || remedy == Remedy::fix_clock) error.kind = Kind::unavailable;
    co_return error;
  }
}

/// The body of a part may go out on another loop; what is small is sent faster than told to another thread.
Task<Result<http::Response>> Bucket::exchange(const Call& call, Outlet* outlet, const Credentials& keys,
                                              CancelToken cancel) {
  http::Request request = sign_call(call, outlet != nullptr, keys);
  if (part_sender_ != nullptr && outlet != nullptr && call.operation == "UploadPart") {
    Result<http::Response> answer = co_await part_sender_->send(std::move(request), *outlet, call.answer_limit, cancel);
    co_return answer;
  }
  http::Exchange exchange(client_, std::move(request));
  exchange.limit_body(call.answer_limit);
  if (outlet != nullptr) exchange.send_from(*outlet);
  Result<http::Response> answer = co_await exchange.run(cancel);
  co_return answer;
}

Task<Result<http::Response>> Bucket::receive(const Call& call, Inlet& inlet, CancelToken cancel, Accept accept) {
  Result<Credentials> keys = co_await keys_.get(cancel);
  if (!keys) co_return keys.error();
  const Signing used{location_.region(), clock_offset_, *keys};
  http::Exchange exchange(client_, sign_call(call, false, used.keys));
  exchange.limit_body(call.answer_limit);
  exchange.receive_into(
      inlet, [&accept](const http::Response& answer) { return answer.status == 206 && (!accept || accept(answer)); });
  Result<http::Response> answer = co_await exchange.run(cancel);
  if (!answer || answer->status == 206) co_return answer;
  Error error = to_error(call.operation, *answer).at(location_.signing_host());
  // Whoever wants the bytes asks again, and is signed rightly then.
  if (mend(remedy_for(*answer, server_time()), *answer, used)) error.kind = Kind::unavailable;
  co_return error;
}

http::Request Bucket::sign_call(const Call& call, bool streamed, const Credentials& keys) {
  SigningInput input;
  input.method = call.method;
  input.host = location_.signing_host();
  input.path = location_.path(call.key);
  input.query = call.query;
  for (const http::Header& field : call.headers.fields()) {
    if (!unwanted_.contains(to_lower(field.name))) input.headers.add(field.name, field.value);
  }
  input.payload_token = streamed ? std::string(unsigned_payload) : sha256_hex(as_view(call.body));
  input.region = location_.region();
  input.time = server_time();
  Signed made = signer_.sign(input, keys);
  return http::Request{call.method, location_.url(made.target), std::move(made.headers), call.body};
}

/// Takes from a refusal what makes the next attempt better. True when something was learnt.
bool Bucket::mend(Remedy remedy, const http::Response& answer, const Signing& used) {
  switch (remedy) {
    case Remedy::fix_clock: {
      const std::optional<std::chrono::seconds> offset = s3::clock_offset(answer, server_time());
      if (!offset) return false;
      if (std::chrono::abs(*offset) < std::chrono::minutes(1)) return used.clock_offset != clock_offset_;
      clock_offset_ += *offset;
      observer_.remark(
          fmt::format("this machine's clock is {} s off the store's; signing with the store's", clock_offset_.count()));
      return true;
    }
    case Remedy::learn_region: {
      const std::optional<std::string> region = learned_region(answer);
      if (!region) return false;
      if (*region == location_.region()) return used.region != *region;
      observer_.remark(fmt::format("the bucket is in region {}", *region));
      location_ = location_.in_region(*region);
      return true;
    }
    case Remedy::drop_header: {
      const std::optional<std::string> name = unwanted_header(answer);
      const bool optional = name && (*name == "content-md5" || name->starts_with("x-amz-meta-"));
      if (optional && unwanted_.insert(*name).second) observer_.remark("the store does not take the header " + *name);
      return optional;
    }
    case Remedy::refresh_credentials: return keys_.refused(used.keys);
    case Remedy::resend_part:
    case Remedy::none: return false;
  }
  return false;
}

}  // namespace hfpour::s3
