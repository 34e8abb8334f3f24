// SPDX-License-Identifier: MIT
#include "base/error.h"

namespace hfpour {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::cancelled: return "cancelled";
    case Kind::usage: return "usage";
    case Kind::not_found: return "not_found";
    case Kind::empty_selection: return "empty_selection";
    case Kind::forbidden: return "forbidden";
    case Kind::integrity: return "integrity";
    case Kind::quota: return "quota";
    case Kind::busy: return "busy";
    case Kind::throttled: return "throttled";
    case Kind::unavailable: return "unavailable";
    case Kind::network: return "network";
    case Kind::timeout: return "timeout";
    case Kind::expired: return "expired";
    case Kind::protocol: return "protocol";
    case Kind::internal: return "internal";
  }
  return "internal";
}

Error Error::at(std::string_view where) const {
  Error outer = *this;
  outer.sentence = std::string(where) + ": " + sentence;
  return outer;
}

std::string Error::describe() const {
  std::string facts;
  const auto add = [&facts](std::string_view fact) {
    facts += facts.empty() ? " (" : ", ";
    facts += fact;
  };
  if (http_status != 0) add("HTTP " + std::to_string(http_status));
  if (!code.empty()) add(code);
  if (!request_id.empty()) add("request id " + request_id);
  return sentence + facts + (facts.empty() ? "" : ")");
}

bool is_retryable(Kind kind) {
  switch (kind) {
    case Kind::throttled:
    case Kind::unavailable:
    case Kind::network:
    case Kind::timeout:
    case Kind::expired:
    case Kind::protocol: return true;
    case Kind::cancelled:
    case Kind::usage:
    case Kind::not_found:
    case Kind::empty_selection:
    case Kind::forbidden:
    case Kind::integrity:
    case Kind::quota:
    case Kind::busy:
    case Kind::internal: return false;
  }
  return false;
}

}  // namespace hfpour
