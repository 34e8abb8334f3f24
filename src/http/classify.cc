// SPDX-License-Identifier: MIT
#include "http/classify.h"

#include <fmt/core.h>

#include "base/text.h"

namespace hfpour::http {

Error classify(CURLcode code, std::string_view host, std::string_view detail) {
  const std::string cause = printable(detail.empty() ? curl_easy_strerror(code) : detail, 200);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Error(Kind::usage,
                   fmt::format("the certificate of {} is not trusted ({}); name its CA with --ca-bundle", host, cause));
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return Error(Kind::protocol, fmt::format("{} gave an address that cannot be used ({})", host, cause));
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Error(Kind::network, fmt::format("cannot find the address of {} ({})", host, cause));
    case CURLE_COULDNT_CONNECT:
      return Error(Kind::network, fmt::format("cannot connect to {} ({})", host, cause));
    case CURLE_OPERATION_TIMEDOUT:
      return Error(Kind::timeout, fmt::format("{} did not answer in time ({})", host, cause));
    case CURLE_PARTIAL_FILE:
      return Error(Kind::network, fmt::format("{} ended an answer early ({})", host, cause));
    case CURLE_OUT_OF_MEMORY:
      return Error(Kind::internal, "out of memory in libcurl");
    default:
      return Error(Kind::network, fmt::format("the connection to {} failed ({})", host, cause));
  }
}

}  // namespace hfpour::http
