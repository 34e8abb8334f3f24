// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hfpour::http {

/// An http or https address in its parts. Passive.
struct Url {
  std::string scheme;          ///< `http` or `https`
  std::string host;            ///< lower case; an IPv6 address keeps its brackets
  int port = 0;                ///< 0 means the default of the scheme
  std::string path_and_query;  ///< as written, beginning with `/`; the fragment is dropped
  bool operator==(const Url&) const = default;
};

/// Takes an absolute http(s) address apart; path and query stay byte for byte, since a signed query
/// dies of any rewriting.
///
/// Errors: `usage` for another scheme, no host, a user name, a port outside 1..65535, a blank or a
/// control character. The sentence shows the address without its query. Pure; any thread.
Result<Url> parse_url(std::string_view text);

/// Who the address speaks to: `https://host:port`, host in lower case, no default port.
/// Credentials are bound to it. Pure; any thread.
std::string origin_of(const Url& url);

/// The same of an address that is not taken apart yet; empty if it cannot be read. Pure; any thread.
std::string origin_of_text(std::string_view text);

/// True when both addresses can be read and have one origin. Pure; any thread.
bool same_origin(std::string_view a, std::string_view b);

/// The absolute address a `Location` or `Link` means in an answer from `base`.
///
/// Takes absolute, scheme-relative, absolute-path, query-only and relative-path references. The
/// bytes of the reference's path and query are kept as they are; only the dots of a relative path
/// are worked off, and a fragment is dropped. Errors: `protocol` if either cannot be read.
/// Pure; any thread. Source: RFC 3986 section 5.2.
Result<std::string> resolve_reference(std::string_view base, std::string_view reference);

}  // namespace hfpour::http
