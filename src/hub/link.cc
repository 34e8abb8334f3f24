// SPDX-License-Identifier: MIT
#include "hub/link.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "http/headers.h"
#include "http/url.h"
#include "hub/errors.h"

namespace hfpour::hub {
namespace {

using std::chrono::seconds;

// Signed addresses live 3600 s (captures of 2026, contract hub section 3.6); when the address does
// not tell, a little less is assumed. Never more than a week: the longest SigV4 allows.
constexpr seconds unknown_life = std::chrono::minutes(50);
constexpr seconds longest_life = std::chrono::hours(24 * 7);

/// True for a path that is a `/resolve/` route. A file path may hold either word: the first counts.
bool is_resolve_route(std::string_view path) {
  const std::size_t resolve = path.find("/resolve/");
  return resolve != std::string_view::npos && resolve < path.find("/api/resolve-cache/");
}

std::string_view path_of(std::string_view path_and_query) {
  return path_and_query.substr(0, path_and_query.find('?'));
}

/// The decoded value of a query parameter; names are compared without regard to case.
std::optional<std::string> parameter(std::string_view path_and_query, std::string_view name) {
  const std::size_t mark = path_and_query.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  for (const std::string& pair : split_list(path_and_query.substr(mark + 1), '&')) {
    const std::size_t equal = std::min(pair.find('='), pair.size());
    if (!same_but_for_case(std::string_view(pair).substr(0, equal), name)) continue;
    return percent_decode(std::string_view(pair).substr(std::min(equal + 1, pair.size())));
  }
  return std::nullopt;
}

/// Seconds since 1970 of `20260818T120000Z`.
std::optional<std::int64_t> parse_amz_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t length) { return parse_decimal(text.substr(at, length)); };
  const auto year = number(0, 4), month = number(4, 2), day = number(6, 2);
  const auto hour = number(9, 2), minute = number(11, 2), second = number(13, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  const Bytes in_day = *hour * 3600 + *minute * 60 + *second;
  return seconds(days).count() + static_cast<std::int64_t>(in_day);
}

/// Seconds since 1970 at which the signature in a url ends, if the url tells.
std::optional<std::int64_t> end_of(std::string_view path_and_query) {
  constexpr Bytes sane = Bytes{1} << 40U;
  if (const auto expires = parameter(path_and_query, "expires")) {
    const auto end = parse_decimal(*expires);
    if (end && *end < sane) return static_cast<std::int64_t>(*end);
  }
  const auto signed_at = parameter(path_and_query, "x-amz-date");
  const auto life = parameter(path_and_query, "x-amz-expires");
  if (!signed_at || !life) return std::nullopt;
  const auto begin = parse_amz_date(*signed_at);
  const auto length = parse_decimal(*life);
  if (!begin || !length || *length >= sane) return std::nullopt;
  return *begin + static_cast<std::int64_t>(*length);
}

/// Seconds the address is still good for; not positive if it is over by the Hub's own clock.
/// Without the Hub's clock ours must do, and as it may be wrong it cannot declare an address dead.
seconds life_of(std::string_view path_and_query, const http::Headers& headers, WallTime now) {
  const auto end = end_of(path_and_query);
  if (!end) return unknown_life;
  const auto date = http::parse_http_date(headers.get("Date").value_or(""));
  const auto from = std::chrono::floor<seconds>(date.value_or(now)).time_since_epoch();
  const seconds life = std::min(seconds(*end) - from, longest_life);
  if (!date && life.count() <= 0) return unknown_life;
  return life;
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// Compares what the answer says of the file with what the listing said. Headers that are missing
/// say nothing, nor does a hash that is blotted out or of another kind.
Result<void> check_promises(const ResolveRequest& request, const http::Headers& headers) {
  const auto differs = [&request](std::string_view thing, std::string_view here, std::string_view listed) {
    return Error(Kind::integrity, fmt::format("{}: the Hub serves {} {} where its listing has {}", request.what, thing,
                                              printable(here, 80), listed));
  };
  const auto commit = headers.get("X-Repo-Commit");
  if (commit && !same_but_for_case(trim(*commit), request.commit)) {
    return differs("commit", *commit, request.commit);
  }
  if (const auto text = headers.get("X-Linked-Size")) {
    const auto size = parse_decimal(trim(*text));
    if (!size) return Error(Kind::protocol, "the Hub's X-Linked-Size is not a number");
    if (*size != request.size) return differs("size", *text, std::to_string(request.size));
  }
  if (const auto text = headers.get("X-Linked-ETag")) {
    const std::string tag = to_lower(http::unquote_etag(*text));
    const std::string listed = to_hex(request.hash);
    const bool comparable = tag.size() == listed.size() && is_hex(tag);
    if (comparable && tag != listed) return differs("hash", tag, listed);
  }
  return {};
}

Result<Link> follow(const ResolveRequest& request, const http::Response& response) {
  const auto location = response.headers.get("Location");
  if (!location || trim(*location).empty()) {
    return Error(Kind::protocol, "the Hub redirects without saying where");
  }
  Result<std::string> target = http::resolve_reference(request.url, *location);
  if (target) target = at_endpoint(request.hub_endpoint, std::move(*target));
  if (!target) return target.error().at("the Hub's redirect");
  const Result<http::Url> url = http::parse_url(*target);
  if (!url) return url.error();
  const std::string origin = http::origin_of(*url);
  if (url->scheme == "http" && to_lower(request.hub_endpoint).starts_with("https:")) {
    return Error(Kind::protocol, fmt::format("the Hub redirects from https to {}: refused", origin));
  }
  const seconds life = life_of(url->path_and_query, response.headers, request.now);
  if (life.count() <= 0) {
    return Error(Kind::expired, "the Hub hands out an address that has already expired");
  }
  Link link;
  link.url = std::move(*target);
  link.on_hub = http::same_origin(origin, request.hub_endpoint);
  link.ask_again = is_resolve_route(path_of(url->path_and_query));
  link.bare_resolve = link.ask_again;
  link.good_until = request.now + life * 4 / 5;
  return link;
}

}  // namespace

std::string at_endpoint(const std::string& endpoint, std::string url) {
  const Result<http::Url> home = http::parse_url(endpoint);
  const Result<http::Url> there = http::parse_url(url);
  if (!home || !there || http::origin_of(*home) != http::origin_of(*there)) return url;
  const std::string origin = http::origin_of(*home);
  const std::string path = home->path_and_query == "/" ? "" : home->path_and_query;
  if (there->path_and_query.starts_with(path + "/")) return url;
  return origin + path + there->path_and_query;
}

Result<Link> read_resolve_answer(const ResolveRequest& request, const http::Response& response) {
  const auto with_facts = [&response](Error error) {
    error.http_status = response.status;
    error.request_id = printable(response.headers.get("X-Request-Id").value_or(""), 120);
    return error;
  };
  const bool is_answer = response.status == 200 || http::is_redirect(response.status);
  if (!is_answer) return to_error(request.what, response, request.with_token, request.url);
  if (const Result<void> good = check_promises(request, response.headers); !good) {
    return with_facts(good.error());
  }
  if (response.status != 200) {
    Result<Link> link = follow(request, response);
    if (!link) return with_facts(link.error().at(request.what));
    return link;
  }
  Link link;
  link.url = request.url;
  link.on_hub = http::same_origin(request.url, request.hub_endpoint);
  link.good_until = request.now + unknown_life * 4 / 5;
  return link;
}

}  // namespace hfpour::hub
