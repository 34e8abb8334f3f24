// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "http/request.h"

namespace hfpour::s3 {

/// Turns an answer that is not the wished-for success into an error.
///
/// `operation` is S3's name of the call, such as `UploadPart`. The answer may have any status: a
/// 200 that holds an `Error` document is judged by its code. The kind decides what happens next:
///
/// | answer                                                                  | kind          |
/// |-------------------------------------------------------------------------|---------------|
/// | SlowDown, SlowDownRead, SlowDownWrite, TooManyRequests, Throttl…,       |               |
/// |   RequestLimitExceeded, BandwidthLimitExceeded; 429, 509                | `throttled`   |
/// | any other 500, 502, 503, 504 whatever the code; InternalError,          |               |
/// |   UnknownError, ServiceUnavailable, OperationAborted; unknown 5xx       | `unavailable` |
/// | RequestTimeout, RequestTimeoutException; 408                            | `timeout`     |
/// | IncompleteBody, BadDigest, InvalidDigest, XAmzContentSHA256Mismatch,    |               |
/// |   XAmzContentChecksumMismatch: the part has to be sent again            | `protocol`    |
/// | PreconditionFailed, ConditionalRequestConflict, InvalidPart,            |               |
/// |   InvalidPartOrder; other 409, 412: the caller looks at `code`          | `protocol`    |
/// | 1xx, 2xx, 304 and a 200 whose code nobody knows                         | `protocol`    |
/// | NoSuchUpload; NoSuchKey from ListParts, which is how Ceph RGW says it   | `expired`     |
/// | NoSuchBucket, NoSuchKey, NoSuchVersion; other 404                       | `not_found`   |
/// | QuotaExceeded, EntityTooLarge, EntityTooSmall, TooManyParts,            |               |
/// |   KeyTooLongError, MetadataTooLarge, XMinioStorageFull,                 |               |
/// |   XMinioAdminBucketQuotaExceeded; 413, 507                              | `quota`       |
/// | AuthorizationHeaderMalformed, IllegalLocationConstraint…,               |               |
/// |   PermanentRedirect, TemporaryRedirect, Redirect, InvalidBucketName;    |               |
/// |   other 3xx                                                             | `usage`       |
/// | AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, ExpiredToken,  |               |
/// |   InvalidToken, TokenRefreshRequired, RequestTimeTooSkewed,             |               |
/// |   AccountProblem, AllAccessDisabled, NotSignedUp, MissingContentLength, |               |
/// |   MalformedXML, InvalidRequest, InvalidArgument, NotImplemented;        |               |
/// |   every other 4xx, 501, 505                                             | `forbidden`   |
///
/// `sentence` reads like `the store refused UploadPart: access denied (it says "…")`, the store's
/// words escaped and shortened. `http_status`, `code` and `request_id` (`x-amz-request-id`, else
/// `RequestId`) are filled in. `retry_after` comes from `x-amz-retry-after` (milliseconds), else
/// from `Retry-After` (seconds, or a date measured against the answer's own `Date`), at most 24
/// hours. Pure; any thread.
/// Source: contract s3, 4.11.
Error to_error(std::string_view operation, const http::Response& answer);

/// What a caller can do at once, one time, before it treats the error by its kind.
enum class Remedy {
  none,
  fix_clock,            ///< shift the signing time by `clock_offset`, sign again
  learn_region,         ///< take `learned_region`, sign again, maybe for another host
  refresh_credentials,  ///< fetch fresh ones, if there is a source of fresh ones
  resend_part,          ///< the body arrived damaged: send it again from the source
  drop_header,          ///< leave out `unwanted_header`, or every optional one
};

/// The remedy for an answer. `now` is this machine's calendar time plus the offset in use, so that
/// an already corrected clock is not corrected again. Looks at a 403 without a code too, because
/// the answer to a HEAD has no body: there a `Date` more than 4 minutes off tells. Pure; any
/// thread.
Remedy remedy_for(const http::Response& answer, WallTime now);

/// How far the store's `Date` is ahead of `now`, negative if behind; nothing without a good `Date`.
std::optional<std::chrono::seconds> clock_offset(const http::Response& answer, WallTime now);

/// The region the store names: in `x-amz-bucket-region`, the `Region` element, or the host names in
/// the `Endpoint` element and in `Location`. Passed `check_region`; nothing if it names none.
std::optional<std::string> learned_region(const http::Response& answer);

/// The request header, in lower case, that a 501 names as not implemented; nothing if it names
/// none.
std::optional<std::string> unwanted_header(const http::Response& answer);

}  // namespace hfpour::s3
