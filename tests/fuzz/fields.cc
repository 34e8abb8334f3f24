// SPDX-License-Identifier: MIT
// Single values of header fields and documents: ranges, limits, waits, dates, links, tags.
#include <fmt/core.h>

#include "base/iso_time.h"
#include "harness.h"
#include "http/headers.h"
#include "http/url.h"
#include "s3/xml.h"

namespace hfpour::fuzz {
namespace {

void take_range(std::string_view input) {
  const std::optional<http::ContentRange> range = http::parse_content_range(input);
  if (!range) return;
  const std::string total = range->total ? std::to_string(*range->total) : "*";
  const std::string text =
      range->satisfied() ? fmt::format("bytes {}-{}/{}", range->begin, range->end - 1, total) : "bytes */" + total;
  const bool forward = range->begin < range->end && (!range->total || range->end <= *range->total);
  require(forward || (range->begin == 0 && range->end == 0), "a range runs forward and ends within the file");
  require(http::parse_content_range(text) == range, "a range can be written and read again");
}

void take_waits(const std::string& input) {
  const std::chrono::hours day(24);
  for (const http::Headers& headers :
       {http::Headers{{"Retry-After", input}},
        http::Headers{{"Retry-After", input}, {"Date", "Sat, 21 Nov 2026 10:20:30 GMT"}},
        http::Headers{{"Retry-After", "Sat, 21 Nov 2026 10:20:30 GMT"}, {"Date", input}}}) {
    const std::optional<std::chrono::seconds> wait = http::parse_retry_after(headers);
    require(!wait || (wait->count() >= 0 && *wait <= day), "nobody waits for less than nothing, or more than a day");
  }
  const std::optional<http::RateLimit> limit = http::parse_rate_limit({{"RateLimit", input}});
  require(!limit || (limit->reset.count() >= 0 && limit->reset <= day), "a window ends within a day");
}

void take_times(std::string_view input) {
  const std::optional<WallTime> date = http::parse_http_date(input);
  require(!date || date->time_since_epoch().count() >= 0, "a date can be counted");
  const std::optional<WallTime> time = parse_iso_time(input);
  require(!time || time->time_since_epoch().count() >= 0, "a time can be counted");
}

void take_link(std::string_view input) {
  const std::string base = "https://huggingface.co/api/models/owner/name/tree/main?cursor=1";
  for (const std::vector<std::string>& values : {std::vector<std::string>{std::string(input)}, lines_of(input)}) {
    const Result<std::optional<std::string>> next = http::parse_link(values, base);
    if (!next) require_fit_for_a_log(next.error());
    if (next && *next) require(http::parse_url(**next).has_value(), "the next page has an address");
  }
}

void take_tag(std::string_view input) {
  require(http::unquote_etag(fmt::format("\"{}\"", input)) == input, "quotes around a tag go, and nothing else");
  const std::string tag = s3::normalise_etag(input);
  const bool odd = tag.find('"') != std::string::npos || tag.find("&quot;") != std::string::npos ||
                   tag.starts_with("W/") || tag.starts_with("w/") || tag != s3::normalise_etag(tag);
  if (!odd) require(s3::normalise_etag("W/\"" + tag + "\"") == tag, "a tag is the same with quotes and without");
}

}  // namespace

void take(std::string_view input) {
  take_range(input);
  take_waits(std::string(input));
  take_times(input);
  take_link(input);
  take_tag(input);
}

}  // namespace hfpour::fuzz
