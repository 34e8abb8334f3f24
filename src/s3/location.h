// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hfpour::s3 {

/// Longest object key in bytes of UTF-8. Source: S3's own limit; Ceph RGW 18.2.7 answers
/// InvalidObjectName above it (contract s3, 4.8).
inline constexpr std::size_t max_key_bytes = 1024;

/// Longest prefix in bytes: leaves 256 bytes of a key to paths and to the program's own objects.
inline constexpr std::size_t max_prefix_bytes = max_key_bytes - 256;

/// What `s3://bucket[/prefix/]` says.
struct Destination {
  std::string bucket;
  /// Nothing for `s3://bucket`, where a default prefix may step in; empty for `s3://bucket/`, the
  /// top of the bucket; else ends with `/`.
  std::optional<std::string> prefix;
};

/// Reads `s3://bucket`, `s3://bucket/` or `s3://bucket/prefix[/]`. The prefix is taken literally:
/// `%`, `?` and `#` are characters of the key. Errors: `usage`, naming the value and the rule; a
/// value with user info (`s3://key:secret@bucket`) is refused without being repeated.
Result<Destination> parse_destination(std::string_view text);

/// Checks a bucket name: 3 to 63 of `a-z 0-9 . -`, letter or digit at both ends, no `..`, not like
/// an IPv4 address. Errors: `usage`. Source: AWS's naming rules as in contract s3, 4.10.
Result<void> check_bucket(std::string_view bucket);

/// Checks a key prefix and makes it end with `/` unless it is empty. Refuses a leading `/`, empty,
/// `.` and `..` segments, control characters, what is not UTF-8, and more than `max_prefix_bytes`.
/// Errors: `usage`.
Result<std::string> normalise_prefix(std::string_view prefix);

/// Checks a complete object key made from a repository path. Such paths are hostile input: refuses
/// an empty key, a leading `/`, empty, `.` and `..` segments, control characters (below 0x20 and
/// 0x7f), what is not UTF-8, and more than `max_key_bytes`. A backslash is an ordinary character.
/// Errors: `protocol`, naming the key with its control characters escaped.
Result<void> check_key(std::string_view key);

/// Checks a region before it becomes part of a host name or a signature: 1 to 64 of
/// `A-Z a-z 0-9 - _`. Errors: `usage`.
Result<void> check_region(std::string_view region);

/// Where a store listens.
struct Endpoint {
  bool tls = true;
  std::string host;        ///< lower case; an IPv6 address in brackets
  std::uint16_t port = 0;  ///< 0 for the scheme's own port

  /// `host` or `host:port`, as it stands in URLs and in the Host field.
  std::string authority() const;
  /// `https://host[:port]`.
  std::string url() const;
  /// True for AWS itself: it answers to `bucket.host`, and each region has its own host.
  bool is_aws() const;
  bool operator==(const Endpoint&) const = default;
};

/// Reads `http[s]://host[:port][/]`. Refuses a path, user info, a query and a fragment; a value
/// with one of the latter three is not repeated. Errors: `usage`, naming the value and the rule.
Result<Endpoint> parse_endpoint(std::string_view url);

/// AWS's own endpoint for a checked region: `https://s3.<region>.amazonaws.com` (`.cn` in China).
Endpoint default_endpoint(std::string_view region);

/// The region in a host name of AWS (`s3.<region>.amazonaws.com`, also behind a bucket name) or of
/// Backblaze (`s3.<region>.backblazeb2.com`), `auto` for Cloudflare R2; nothing for other hosts.
std::optional<std::string> region_in_host(std::string_view host);

/// The region to sign for when nobody named one: that of the host, else `us-east-1`.
std::string guess_region(const Endpoint& endpoint);

/// Whether the bucket is the first part of the path or of the host name.
enum class Addressing { path, virtual_host };

/// Virtual host for AWS, unless dots in the bucket would step outside the one label that a wildcard
/// certificate covers; path style for every other endpoint (contract s3, 4.10).
Addressing default_addressing(const Endpoint& endpoint, std::string_view bucket);

/// One bucket at one endpoint: turns keys into hosts, paths and URLs.
///
/// Immutable value; any thread. Expects parts that the checks above let pass.
class Location {
 public:
  Location(Endpoint endpoint, std::string bucket, std::string region);
  Location(Endpoint endpoint, std::string bucket, std::string region, Addressing addressing);

  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& bucket() const { return bucket_; }
  const std::string& region() const { return region_; }
  Addressing addressing() const { return addressing_; }

  /// The name to connect to, without a port.
  std::string host() const;
  /// The Host field as it must be signed: `host()` with a non-default port.
  std::string signing_host() const;
  /// The request path, decoded, of a key; of the bucket itself for an empty key.
  std::string path(std::string_view key) const;
  /// The URL for a target that `sign` or `encode_target` made from `path`.
  std::string url(std::string_view target) const;
  /// `s3://bucket/key`, for people.
  std::string uri(std::string_view key) const;

  /// The same bucket after the store named its region. On AWS the host moves along. `region` must
  /// have passed `check_region`.
  Location in_region(std::string_view region) const;

 private:
  Endpoint endpoint_;
  std::string bucket_;
  std::string region_;
  Addressing addressing_;
};

}  // namespace hfpour::s3
