// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/error.h"
#include "http/request.h"

namespace hfpour::hub {

/// The `Error` an answer of the Hub amounts to, for any status that is not the one hoped for.
///
/// `what` is what was asked for, as a person would name it (`owner/name@main`, with the path of the
/// file if there is one); `with_token` says whether the request carried a token, because the Hub
/// hides what an anonymous caller may not know; `url` is what was asked, whose origin is named when it is in trouble:
/// it may be a mirror, or one edge of many. Kinds: `not_found` (also for the 401 that stands for "missing or private"),
/// `forbidden`, `throttled` with the wait in `retry_after`, `timeout` (408), `unavailable` (5xx), `protocol` (416, and
/// a status without an error), `internal` for other 4xx, which no other try will cure. Carries status, error code and
/// request id; never a body of HTML. Not for answers of the CDN, whose 401 and 403 mean "ask for a new address". Pure;
/// any thread. Source: contract hub sections 4.3, 5.2 and 5.4.
Error to_error(std::string_view what, const http::Response& response, bool with_token, const std::string& url);

}  // namespace hfpour::hub
