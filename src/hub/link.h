// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "http/request.h"
#include "transfer/file_entry.h"

namespace hfpour::hub {

/// Where the bytes of one file can be fetched, as learnt from one answer of `/resolve/`. Passive.
struct Link {
  std::string url;            ///< with its signature: a credential, never for a log
  bool on_hub = false;        ///< of the Hub's own origin: the token may be sent there, and only there
  bool bare_resolve = false;  ///< the url is a `/resolve/` route: never send `Range` to it
  bool ask_again = false;     ///< not the bytes yet: the url is to be asked as `/resolve/` was
  WallTime good_until;        ///< our own clock; fetch a new link from then on
};

/// What is known when a bare `/resolve/` request (HEAD, or GET not followed; no `Range`) returns.
struct ResolveRequest {
  std::string what;          ///< for messages: `owner/name@main/config.json`
  std::string url;           ///< what was asked
  std::string hub_endpoint;  ///< as configured, maybe with a path
  std::string commit;        ///< 40 hex digits, as in the url
  Bytes size = 0;            ///< of the listing
  ContentHash hash;          ///< of the listing
  bool with_token = false;
  WallTime now;  ///< when the answer arrived
};

/// `url`, below the path of `endpoint` if it is on the endpoint's origin: a mirror below a path may hand on addresses
/// as the Hub gave them. Pure.
std::string at_endpoint(const std::string& endpoint, std::string url);

/// Reads the answer to a bare `/resolve/` request.
///
/// A redirect to the CDN or to the Hub's own content route gives a link to the bytes; one to
/// another
/// `/resolve/` route (a renamed repository) gives `ask_again`; a 200 gives the asked url itself.
/// The caller counts hops. `good_until` is `now` plus 80 % of the life that is left in the url by
/// the answer's own `Date`; 50 min are assumed when it tells none.
/// Errors: those of `to_error` for a status from 400; `integrity` when commit, size or hash differ
/// from the listing; `expired` for an address that is dead on arrival; `protocol` for any other
/// status, a redirect without a usable target, and one from https to http. Pure; any thread.
/// Source: contract hub sections 3.2, 3.3, 3.4 and 3.6.
Result<Link> read_resolve_answer(const ResolveRequest& request, const http::Response& response);

}  // namespace hfpour::hub
