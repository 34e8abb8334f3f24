// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/request.h"

namespace hfpour::http {

/// What a `Content-Range` says. `begin == end == 0` when no range could be given (`bytes */N`).
struct ContentRange {
  Bytes begin = 0;
  Bytes end = 0;               ///< exclusive, unlike in the header
  std::optional<Bytes> total;  ///< nothing for `/*`
  bool satisfied() const { return end > 0; }
  bool operator==(const ContentRange&) const = default;
};

/// Reads `bytes a-b/total`, `bytes a-b/*` and `bytes */total`; nothing if the text is none of these
/// or contradicts itself (`b < a`, `b >= total`). Pure; any thread. Source: RFC 9110 section 14.4.
std::optional<ContentRange> parse_content_range(std::string_view value);

/// The address of the next page, made absolute against `request_url`; no value when there is none.
///
/// `values` are all `Link` fields of one answer. Takes what RFC 8288 allows: several links in one
/// field, no blank after `;`, quoted and bare `rel`, several relations in one `rel`, relative
/// addresses. Errors: `protocol` for a field that cannot be read or names two next pages; never the
/// end of the list, since a list that ends early is a model that lacks files. Pure; any thread.
Result<std::optional<std::string>> parse_link(const std::vector<std::string>& values, std::string_view request_url);

/// One bucket of a rate limit.
struct RateLimit {
  std::string bucket;             ///< `api`, `resolvers`
  Bytes remaining = 0;            ///< requests left in this window
  std::chrono::seconds reset{0};  ///< until the window begins anew
};

/// Reads `RateLimit: "resolvers";r=2999;t=172`; nothing if it is not there or not like that.
/// Pure; any thread. Source: draft-ietf-httpapi-ratelimit-headers-09; contract hub section 5.2.
std::optional<RateLimit> parse_rate_limit(const Headers& headers);

/// Seconds asked for by `Retry-After`; never negative, at most a day.
///
/// A date counts from `now`, else from the answer's own `Date`; with neither it is not understood.
/// Pure; any thread. Source: RFC 9110 section 10.2.3.
std::optional<std::chrono::seconds> parse_retry_after(const Headers& headers,
                                                      std::optional<WallTime> now = std::nullopt);

/// Reads an HTTP date in any of the three forms of RFC 9110 section 5.6.7; nothing outside the years 1970 to 2262.
/// Pure; any thread.
std::optional<WallTime> parse_http_date(std::string_view value);

/// The tag without `W/` and without its quotes. Pure; any thread.
std::string unquote_etag(std::string_view value);

}  // namespace hfpour::http
