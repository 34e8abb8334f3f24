// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

/// The XML documents of S3: what the store answers, and the one body that is sent to it.
///
/// Every reader here is pure and may be called from any thread. They tolerate a byte order mark and
/// blanks before the declaration, blanks after it (a store keeps a slow Complete alive with them),
/// name spaces, comments and elements nobody asked for. They refuse, with `protocol`, what is
/// larger than `max_document`, nested deeper than `max_depth`, cut off, of another root element, or
/// without an element that is needed. When the root was `Error`, the error carries its `Code`;
/// callers that want it classified ask `to_error` of `s3/errors.h` with the whole answer. Source:
/// contract s3, 4.4, 4.8, 4.12 and 4.14.
namespace hfpour::s3 {

/// Largest accepted answer. A page of 1000 keys of 1024 bytes, each byte as `%XX`, takes 3.5 MiB.
inline constexpr Bytes max_document = 4 * MiB;

/// Deepest nesting. S3's own documents need five levels (contract s3, 4.14).
inline constexpr int max_depth = 16;

/// An `Error` document. Every field may be empty: stores differ in what they fill in.
struct ErrorDocument {
  std::string code;
  std::string message;
  std::string request_id;
  std::string region;    ///< where the bucket really is
  std::string endpoint;  ///< host to use instead
  std::string header;    ///< the request header the store does not implement
};

/// Reads an `Error` document; nothing for anything else: an empty body, HTML, a success.
std::optional<ErrorDocument> parse_error(std::string_view body);

/// The UploadId of an `InitiateMultipartUploadResult`; never empty.
Result<std::string> parse_create(std::string_view body);

/// What Complete did. `etag` as written by the store; empty when Ceph RGW replays an old success.
struct Completed {
  std::string etag;
};

/// Reads the answer to Complete. Its root decides, not the status: a 200 may hold an `Error`.
/// Errors: `protocol` when it is neither, so that nobody knows what happened.
Result<std::variant<Completed, ErrorDocument>> parse_complete(std::string_view body);

struct ListedObject {
  std::string key;  ///< decoded
  Bytes size = 0;
  std::string etag;  ///< through `normalise_etag`; may be empty
};

/// One page of ListObjectsV2.
struct ObjectPage {
  std::vector<ListedObject> objects;
  bool is_truncated = false;
  std::string next_token;  ///< to be percent-encoded by the signer; not empty if truncated
};

/// Reads a `ListBucketResult`. Keys are percent-decoded, `+` as a space, if the answer says
/// `EncodingType` `url`; the token never is.
Result<ObjectPage> parse_objects(std::string_view body);

struct ListedPart {
  unsigned number = 0;
  Bytes size = 0;
  std::string etag;                  ///< as written by the store, for Complete
  std::optional<WallTime> modified;  ///< by the server's clock; nothing if missing or unreadable
};

/// One page of ListParts.
struct PartPage {
  std::vector<ListedPart> parts;
  bool is_truncated = false;
  std::string next_marker;  ///< `part-number-marker` of the next page; not empty if truncated
};

/// Reads a `ListPartsResult`.
Result<PartPage> parse_parts(std::string_view body);

struct ListedUpload {
  std::string key;  ///< decoded
  std::string upload_id;
  std::optional<WallTime> initiated;  ///< by the server's clock; nothing if missing or unreadable
};

/// One page of ListMultipartUploads.
struct UploadPage {
  std::vector<ListedUpload> uploads;
  bool is_truncated = false;
  std::string next_key_marker;  ///< decoded; not empty if truncated
  std::string next_upload_id_marker;
};

/// Reads a `ListMultipartUploadsResult`. Keys and key marker are decoded as in `parse_objects`.
Result<UploadPage> parse_uploads(std::string_view body);

struct CompletedPart {
  unsigned number = 0;
  std::string etag;  ///< verbatim from the part's answer, with its quotes
};

/// The body of Complete. `parts` must ascend by number: stores other than Ceph insist on it.
std::string complete_body(std::span<const CompletedPart> parts);

/// An ETag for comparison: without `W/` and quotes (also written as `&quot;`), hex in lower case.
/// `"ABC…"`, `&quot;abc…&quot;` and `abc…` become the same. What is not hex keeps its case.
std::string normalise_etag(std::string_view etag);

}  // namespace hfpour::s3
