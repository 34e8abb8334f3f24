// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace hfpour::http {

struct Header {
  std::string name;
  std::string value;
};

/// Header fields of one message, in the order received. Look-ups ignore the case of names.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.push_back(Header{std::move(name), std::move(value)}); }
  void clear() { fields_.clear(); }
  /// The first field of that name; nothing if there is none.
  std::optional<std::string> get(std::string_view name) const;
  /// All fields of that name, in order.
  std::vector<std::string> all(std::string_view name) const;
  const std::vector<Header>& fields() const { return fields_; }

 private:
  std::vector<Header> fields_;
};

/// One request to be sent. A small body stands in `body`; a large one comes from an outlet (see `Exchange`).
struct Request {
  std::string method = "GET";
  std::string url;        ///< sent as it stands, already encoded
  Headers headers;        ///< names and values are sent verbatim
  std::string_view body;  ///< lent until the exchange has ended: a manifest may have 30 MiB
};

/// True for the statuses that send the asker to their `Location`.
inline bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Status, header fields and, unless it went to an inlet, the body of an answer.
struct Response {
  int status = 0;
  Headers headers;
  std::string body;
  Bytes sent = 0;  ///< of the request's body, when it came from an outlet
};

}  // namespace hfpour::http
