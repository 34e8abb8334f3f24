// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <string_view>

#include "base/error.h"

namespace hfpour::http {

/// What a libcurl failure means: `network`, `timeout`, or `usage` when the certificate is not trusted.
/// `host` is named in the sentence; `detail` is libcurl's own text, which never holds a query.
Error classify(CURLcode code, std::string_view host, std::string_view detail);

}  // namespace hfpour::http
