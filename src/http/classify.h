// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <string_view>

#include "base/error.h"

namespace hfpour::http {

/// What a libcurl failure means: `network`, `timeout`, or `usage` when the certificate is not trusted.
/// `host` is named in the sentence; `detail` is libcurl's own text, which never holds a query.
Error classify(CURLcode code, std::string_view host, std::string_view detail);

/// What it means that the proxy answered a request, or the wish for a tunnel, itself: `usage` when it wants a password,
/// `forbidden` when it lets nobody through to `host`, else `network`.
Error proxy_refusal(int status, std::string_view host);

}  // namespace hfpour::http
