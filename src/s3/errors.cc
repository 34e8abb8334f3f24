// SPDX-License-Identifier: MIT
#include "s3/errors.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/log.h"
#include "base/text.h"
#include "http/headers.h"
#include "s3/location.h"
#include "s3/xml.h"

namespace hfpour::s3 {
namespace {

/// The widest difference between two clocks that needs no care: the store's own limit is 15 minutes
/// (contract s3, 2.4), and botocore estimates from `Date` in the same way.
constexpr std::chrono::seconds tolerated_skew = std::chrono::minutes(4);

/// A wish longer than a day is a mistake.
constexpr Bytes max_retry_after_ms = 24ULL * 3600 * 1000;

struct Meaning {
  Kind kind;
  std::string_view phrase;
  Remedy remedy = Remedy::none;
};

struct CodeRow {
  std::string_view code;
  Meaning meaning;
};

constexpr Meaning slow_down = {Kind::throttled, "too many requests"};
constexpr Meaning in_trouble = {Kind::unavailable, "it is in trouble itself"};
constexpr Meaning too_slow = {Kind::timeout, "the body came too slowly"};
constexpr Meaning damaged = {Kind::protocol, "the body arrived damaged", Remedy::resend_part};
constexpr Meaning conflict = {Kind::protocol, "the state of the object is not as expected"};
constexpr Meaning wrong_parts = {Kind::protocol, "its list of parts is another one"};
constexpr Meaning no_upload = {Kind::expired, "the upload is gone"};
constexpr Meaning no_bucket = {Kind::not_found, "there is no such bucket"};
constexpr Meaning no_object = {Kind::not_found, "there is no such object"};
constexpr Meaning full = {Kind::quota, "its quota is used up"};
constexpr Meaning over_limit = {Kind::quota, "a size limit of the store is broken"};
constexpr Meaning wrong_region = {Kind::usage, "the bucket is in another region", Remedy::learn_region};
constexpr Meaning elsewhere = {Kind::usage, "the bucket is at another endpoint", Remedy::learn_region};
constexpr Meaning bad_bucket = {Kind::usage, "the bucket name is not valid there"};
constexpr Meaning denied = {Kind::forbidden, "access denied"};
constexpr Meaning bad_key = {Kind::forbidden, "it does not know the access key", Remedy::refresh_credentials};
constexpr Meaning bad_secret = {Kind::forbidden, "the secret key does not match the access key",
                                Remedy::refresh_credentials};
constexpr Meaning stale_token = {Kind::forbidden, "the session token is no longer good", Remedy::refresh_credentials};
constexpr Meaning wrong_clock = {Kind::forbidden, "this machine's clock differs from its own", Remedy::fix_clock};
constexpr Meaning bad_account = {Kind::forbidden, "the account is blocked"};
constexpr Meaning bad_request = {Kind::forbidden, "it does not accept such a request"};
constexpr Meaning unsupported = {Kind::forbidden, "it does not implement this", Remedy::drop_header};
constexpr Meaning odd = {Kind::protocol, "the answer makes no sense"};

constexpr std::array code_rows = {
    CodeRow{"SlowDown", slow_down},
    CodeRow{"SlowDownRead", slow_down},
    CodeRow{"SlowDownWrite", slow_down},
    CodeRow{"TooManyRequests", slow_down},
    CodeRow{"RequestLimitExceeded", slow_down},
    CodeRow{"BandwidthLimitExceeded", slow_down},
    CodeRow{"InternalError", in_trouble},
    CodeRow{"UnknownError", in_trouble},
    CodeRow{"ServiceUnavailable", in_trouble},
    CodeRow{"OperationAborted", in_trouble},
    CodeRow{"RequestTimeout", too_slow},
    CodeRow{"RequestTimeoutException", too_slow},
    CodeRow{"IncompleteBody", damaged},
    CodeRow{"BadDigest", damaged},
    CodeRow{"InvalidDigest", damaged},
    CodeRow{"XAmzContentSHA256Mismatch", damaged},
    CodeRow{"XAmzContentChecksumMismatch", damaged},
    CodeRow{"PreconditionFailed", conflict},
    CodeRow{"ConditionalRequestConflict", conflict},
    CodeRow{"InvalidPart", wrong_parts},
    CodeRow{"InvalidPartOrder", wrong_parts},
    CodeRow{"NoSuchUpload", no_upload},
    CodeRow{"NoSuchBucket", no_bucket},
    CodeRow{"NoSuchKey", no_object},
    CodeRow{"NoSuchVersion", no_object},
    CodeRow{"QuotaExceeded", full},
    CodeRow{"XMinioStorageFull", full},
    CodeRow{"XMinioAdminBucketQuotaExceeded", full},
    CodeRow{"EntityTooLarge", over_limit},
    CodeRow{"EntityTooSmall", over_limit},
    CodeRow{"TooManyParts", over_limit},
    CodeRow{"KeyTooLongError", over_limit},
    CodeRow{"MetadataTooLarge", over_limit},
    CodeRow{"AuthorizationHeaderMalformed", wrong_region},
    CodeRow{"IllegalLocationConstraint", wrong_region},
    CodeRow{"IllegalLocationConstraintException", wrong_region},
    CodeRow{"PermanentRedirect", elsewhere},
    CodeRow{"TemporaryRedirect", elsewhere},
    CodeRow{"Redirect", elsewhere},
    CodeRow{"InvalidBucketName", bad_bucket},
    CodeRow{"AccessDenied", denied},
    CodeRow{"InvalidAccessKeyId", bad_key},
    CodeRow{"SignatureDoesNotMatch", bad_secret},
    CodeRow{"ExpiredToken", stale_token},
    CodeRow{"InvalidToken", stale_token},
    CodeRow{"TokenRefreshRequired", stale_token},
    CodeRow{"RequestTimeTooSkewed", wrong_clock},
    CodeRow{"AccountProblem", bad_account},
    CodeRow{"AllAccessDisabled", bad_account},
    CodeRow{"NotSignedUp", bad_account},
    CodeRow{"NotImplemented", unsupported},
    CodeRow{"InvalidRequest", bad_request},
    CodeRow{"InvalidArgument", bad_request},
    CodeRow{"MalformedXML", bad_request},
    CodeRow{"MethodNotAllowed", bad_request},
    CodeRow{"MissingContentLength", bad_request},
    CodeRow{"InvalidURI", bad_request},
};

std::optional<Meaning> by_code(std::string_view code) {
  if (code.starts_with("Throttl") || code.starts_with("RequestThrottl")) return slow_down;
  const auto row =
      std::find_if(code_rows.begin(), code_rows.end(), [code](const CodeRow& each) { return each.code == code; });
  return row == code_rows.end() ? std::nullopt : std::optional(row->meaning);
}

Meaning by_status(int status) {
  switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: return elsewhere;
    case 401:
    case 403: return denied;
    case 404: return {Kind::not_found, "it is not there"};
    case 408: return too_slow;
    case 409:
    case 412: return conflict;
    case 413: return over_limit;
    case 429:
    case 509: return slow_down;
    case 501: return unsupported;
    case 505: return bad_request;
    case 507: return full;
    default: break;
  }
  if (status >= 500) return in_trouble;
  return status >= 400 ? bad_request : odd;
}

Meaning classify(int status, std::string_view code) {
  const std::optional<Meaning> known = by_code(code);
  if (status == 500 || status == 502 || status == 503 || status == 504) {
    return known && known->kind == Kind::throttled ? *known : in_trouble;
  }
  return known ? *known : by_status(status);
}

std::string_view verb(Kind kind) {
  switch (kind) {
    case Kind::throttled: return "put off";
    case Kind::unavailable: return "failed at";
    case Kind::timeout: return "gave up on";
    case Kind::protocol: return "did not accept";
    default: return "refused";
  }
}

/// Words of the store as they may stand in a message: one line of UTF-8, not too long.
std::string quoted(std::string text, std::size_t limit) {
  if (!is_utf8(text)) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  }
  if (text.size() > limit) {
    std::size_t cut = limit;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
    text = text.substr(0, cut) + "…";
  }
  // One control character grows to four, so this never cuts again.
  return printable(text, text.size() * 4);
}

std::optional<Millis> retry_after(const http::Headers& headers) {
  const auto capped = [](Bytes ms) { return Millis(std::min(ms, max_retry_after_ms)); };
  if (const auto ms = parse_decimal(trim(headers.get("x-amz-retry-after").value_or("")))) {
    return capped(*ms);
  }
  return http::parse_retry_after(headers);
}

/// The name in a URL or in `host[:port]`.
std::string_view host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("/:?#"));
}

}  // namespace

Error to_error(std::string_view operation, const http::Response& answer) {
  const ErrorDocument document = parse_error(answer.body).value_or(ErrorDocument{});
  const std::string code(trim(document.code));
  Meaning meaning = classify(answer.status, code);
  if (operation == "ListParts" && code == "NoSuchKey") meaning = no_upload;

  Error error(meaning.kind, fmt::format("the store {} {}: {}", verb(meaning.kind), operation, meaning.phrase));
  const std::string_view message = trim(document.message);
  if (!message.empty() && to_lower(message) != meaning.phrase) {
    error.sentence += fmt::format(" (it says \"{}\")", quoted(std::string(message), 200));
  }
  if (meaning.remedy == Remedy::learn_region && !document.endpoint.empty()) {
    error.sentence += fmt::format(" (it names {})", quoted(redact(document.endpoint), 100));
  }
  error.http_status = answer.status;
  error.code = quoted(code, 64);
  error.request_id = quoted(answer.headers.get("x-amz-request-id").value_or(document.request_id), 128);
  error.retry_after = retry_after(answer.headers);
  return error;
}

Remedy remedy_for(const http::Response& answer, WallTime now) {
  const ErrorDocument document = parse_error(answer.body).value_or(ErrorDocument{});
  const std::string_view code = trim(document.code);
  const Meaning meaning = classify(answer.status, code);
  const std::optional<std::chrono::seconds> offset = clock_offset(answer, now);
  if (meaning.remedy == Remedy::fix_clock) return offset ? Remedy::fix_clock : Remedy::none;
  if (answer.status == 403 && offset && std::chrono::abs(*offset) > tolerated_skew) {
    return Remedy::fix_clock;
  }
  // The answer to a HEAD has no body: there a wrong region is a bare 400 with this header.
  const bool bare_400 = answer.status == 400 && code.empty() && answer.headers.get("x-amz-bucket-region").has_value();
  if (meaning.remedy == Remedy::learn_region || bare_400) {
    return learned_region(answer) ? Remedy::learn_region : Remedy::none;
  }
  if (meaning.remedy == Remedy::drop_header) {
    const bool about_header =
        to_lower(document.message).find("header") != std::string::npos || !document.header.empty();
    return about_header ? Remedy::drop_header : Remedy::none;
  }
  return meaning.remedy;
}

std::optional<std::chrono::seconds> clock_offset(const http::Response& answer, WallTime now) {
  const auto theirs = http::parse_http_date(answer.headers.get("date").value_or(""));
  if (!theirs) return std::nullopt;
  return std::chrono::floor<std::chrono::seconds>(*theirs - now);
}

std::optional<std::string> learned_region(const http::Response& answer) {
  const ErrorDocument document = parse_error(answer.body).value_or(ErrorDocument{});
  for (const std::string& named : {answer.headers.get("x-amz-bucket-region").value_or(""), document.region}) {
    std::string region(trim(named));
    if (check_region(region)) return region;
  }
  for (const std::string& place : {document.endpoint, answer.headers.get("location").value_or("")}) {
    if (auto region = region_in_host(to_lower(host_of(trim(place))))) return region;
  }
  return std::nullopt;
}

std::optional<std::string> unwanted_header(const http::Response& answer) {
  const ErrorDocument document = parse_error(answer.body).value_or(ErrorDocument{});
  std::string name = to_lower(trim(document.header));
  if (answer.status != 501 || name.empty()) return std::nullopt;
  return name;
}

}  // namespace hfpour::s3
