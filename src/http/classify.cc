// SPDX-License-Identifier: MIT
#include "http/classify.h"

#include <fmt/core.h>

#include "base/text.h"

namespace hfpour::http {

Error classify(CURLcode code, std::string_view host, std::string_view detail) {
  // libcurl quotes the address of a proxy it cannot read, with the password in it.
  if (detail.find("Unsupported proxy") != std::string_view::npos) {
    return Error(Kind::usage,
                 fmt::format("the proxy's address that the environment gives for {} cannot be used", host));
  }
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
    case CURLE_COULDNT_CONNECT: return Error(Kind::network, fmt::format("cannot connect to {} ({})", host, cause));
    case CURLE_OPERATION_TIMEDOUT:
      return Error(Kind::timeout, fmt::format("{} did not answer in time ({})", host, cause));
    case CURLE_PARTIAL_FILE: return Error(Kind::network, fmt::format("{} ended an answer early ({})", host, cause));
    case CURLE_OUT_OF_MEMORY: return Error(Kind::internal, "out of memory in libcurl");
    default: return Error(Kind::network, fmt::format("the connection to {} failed ({})", host, cause));
  }
}

Error proxy_refusal(int status, std::string_view host) {
  Error error(Kind::network, fmt::format("the proxy could not reach {}", host));
  if (status == 407 || status == 401) {  // tinyproxy says 401 to a wrong password
    error = Error(Kind::usage,
                  fmt::format("the proxy wants a name and a password on the way to {}: write them, if they are "
                              "missing or wrong, into HTTPS_PROXY or http_proxy as http://name:password@host:port",
                              host));
  } else if (status < 500) {
    error = Error(Kind::forbidden, fmt::format("the proxy lets nobody through to {}", host));
  }
  error.http_status = status;
  return error;
}

}  // namespace hfpour::http
