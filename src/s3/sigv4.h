// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/request.h"
#include "s3/credentials.h"

namespace hfpour::s3 {

/// Decoded name/value pairs of a query, in any order. A bare name has an empty value.
using Query = std::vector<std::pair<std::string, std::string>>;

/// Payload token of a body that the signature does not cover. For streams over TLS only.
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

/// Payload token of an empty body: the SHA-256 of nothing.
inline constexpr std::string_view empty_payload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Everything a signature depends on, besides the credentials.
struct SigningInput {
  std::string method;  ///< upper case
  std::string host;    ///< for the Host field: with a non-default port
  std::string path;    ///< decoded, such as `/bucket/a b`; never normalised
  Query query;
  http::Headers headers;      ///< further fields to send
  std::string payload_token;  ///< lower-case hex SHA-256 of the body, or `unsigned_payload`
  std::string region;
  WallTime time;  ///< the server's idea of now: the clock plus any learnt offset
};

/// What has to go on the wire, byte for byte: sending anything else breaks the signature.
struct Signed {
  std::string target;     ///< path and query, encoded; curl must not normalise it (PATH_AS_IS)
  http::Headers headers;  ///< Host, the given fields, the `x-amz-` ones and Authorization
};

using Sha256 = std::array<std::byte, 32>;

/// Signs requests with AWS Signature Version 4, header form, service `s3`.
///
/// Encodes each byte of the path once and keeps `a//b`, `.` and `..` as they are; sorts the query
/// by encoded (name, value) pairs and writes a bare name as `name=`. Signs host and every given
/// field except those that proxies change (User-Agent, Accept, Accept-Encoding, Expect, Connection,
/// Content-Length, Transfer-Encoding), which are sent unsigned. Given fields named Host,
/// Authorization, x-amz-date, x-amz-content-sha256 or x-amz-security-token are dropped: they are
/// made here, and Host is not left to libcurl, which would send `127.0.0.1` for `127.1`. Does not
/// check that header values are free of line breaks. The key of the day is kept, since making it
/// takes four of the five HMACs; what comes out depends only on what is given. Not thread-safe;
/// does not fail. Source: contract s3, 2.1 and 2.2; the four examples that AWS published are in the
/// test.
class Signer {
 public:
  Signed sign(const SigningInput& input, const Credentials& credentials);

 private:
  std::string authorization(const SigningInput& input, const Credentials& credentials, const std::string& time,
                            const http::Headers& sent);
  const Sha256& key_for(std::string_view day, std::string_view region, const Secret& secret);

  std::string day_;  ///< `YYYYMMDD`; empty: there is no key yet
  std::string region_;
  Secret secret_;
  Sha256 key_{};
};

/// The target alone: encoded path, then `?` and the sorted query if there is one.
std::string encode_target(std::string_view path, const Query& query);

/// Lower-case hexadecimal SHA-256, 64 characters. Any thread.
std::string sha256_hex(ByteView bytes);

}  // namespace hfpour::s3
