// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sink {

/// The head of one HTTP request, as far as the sink looks at it.
struct Request {
  std::string method;
  std::string bucket;                          ///< first segment of the path, decoded; path style only
  std::string key;                             ///< the rest of the path, decoded
  std::map<std::string, std::string> query;    ///< decoded; a bare name has an empty value
  std::map<std::string, std::string> headers;  ///< names in lower case; of several the last one
  std::uint64_t length = 0;                    ///< of the body
  bool keep_alive = true;

  bool has(const std::string& parameter) const { return query.contains(parameter); }
  /// A parameter or a header, or `otherwise` if it is not there.
  std::string parameter(const std::string& name, std::string_view otherwise = "") const;
  std::string header(const std::string& name) const;
};

/// What is sent back.
struct Answer {
  int status = 200;
  std::string headers;  ///< whole lines, each with CR LF
  std::string body;
  std::uint64_t head_length = 0;  ///< Content-Length of an answer to HEAD, which has no body
};

/// Reads a head, which ends before the empty line; nothing if it is not HTTP/1.1.
std::optional<Request> parse_request(std::string_view head);

/// The answer as bytes. `head_only`: the request was HEAD.
std::string serialise(const Answer& answer, bool head_only, bool keep_alive);

/// An S3 error document with its status.
Answer error_answer(int status, std::string_view code, std::string_view message);

}  // namespace sink
