// SPDX-License-Identifier: MIT
// A whole answer: `status`, fields, an empty line, the body; as the Hub's, the store's, and that of a file's address.
#include <algorithm>

#include "base/text.h"
#include "harness.h"
#include "http/url.h"
#include "hub/errors.h"
#include "hub/link.h"
#include "s3/errors.h"
#include "s3/location.h"

namespace hfpour::fuzz {
namespace {

constexpr std::string_view commit = "0123456789abcdef0123456789abcdef01234567";

http::Response read_response(std::string_view input) {
  http::Response response;
  response.status = static_cast<int>(std::clamp<Bytes>(parse_decimal(take_line(input)).value_or(200), 100, 599));
  while (!input.empty()) {
    const std::string_view line = take_line(input);
    if (line.empty()) break;
    const std::size_t colon = std::min(line.find(':'), line.size());
    response.headers.add(std::string(line.substr(0, colon)),
                         std::string(trim(line.substr(std::min(colon + 1, line.size())))));
  }
  response.body = input;
  return response;
}

void require_error(const Error& error) {
  require_fit_for_a_log(error);
  require(!error.retry_after || (error.retry_after->count() >= 0 && *error.retry_after <= std::chrono::hours(25)),
          "nobody waits for more than a day and a bit");
}

void take_link(const std::string& endpoint, const http::Response& response) {
  const hub::ResolveRequest request{"owner/name@main/a",
                                    endpoint + "/owner/name/resolve/" + std::string(commit) + "/a",
                                    endpoint,
                                    std::string(commit),
                                    5,
                                    ContentHash{},
                                    true,
                                    WallTime(std::chrono::hours(24 * 365 * 56))};
  const Result<hub::Link> link = hub::read_resolve_answer(request, response);
  if (!link) return require_error(link.error());
  const Result<http::Url> url = http::parse_url(link->url);
  require(url.has_value(), "a link can be fetched");
  require(url->scheme == "https" || endpoint.starts_with("http:"), "https never becomes http");
  require(link->on_hub == http::same_origin(link->url, endpoint), "the token goes to the Hub's origin only");
}

}  // namespace

void take(std::string_view input) {
  const http::Response response = read_response(input);
  require_error(hub::to_error("owner/name@main", response, true, "https://hub.test/api"));
  require_error(hub::to_error("owner/name@main", response, false, "https://hub.test/api"));
  take_link("https://huggingface.co", response);
  take_link("http://mirror.example:8080/hf", response);

  require_error(s3::to_error("UploadPart", response));
  const WallTime now(std::chrono::hours(24 * 365 * 56));
  if (s3::remedy_for(response, now) == s3::Remedy::fix_clock) {
    require(s3::clock_offset(response, now).has_value(), "a clock is corrected by a known amount");
  }
  const std::optional<std::string> region = s3::learned_region(response);
  require(!region || s3::check_region(*region).has_value(), "a region that was learnt is a region");
  const std::optional<std::string> header = s3::unwanted_header(response);
  require(!header || *header == to_lower(*header), "a header that is not wanted is in lower case");
}

}  // namespace hfpour::fuzz
