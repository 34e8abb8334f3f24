// SPDX-License-Identifier: MIT
#include "http/headers.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "http/url.h"

namespace hfpour::http {
namespace {

constexpr std::chrono::seconds longest_wait = std::chrono::hours(24);
/// The clock of the system counts nanoseconds in 64 bits, which end in the year 2262.
constexpr std::time_t last_second =
    std::chrono::floor<std::chrono::seconds>(WallTime::max().time_since_epoch()).count();

bool is_token_char(char c) {
  const bool alnum = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  return alnum || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Takes a `Link` field apart from left to right. Every step says whether it could be taken.
class LinkReader {
 public:
  explicit LinkReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }

  std::optional<std::string_view> take_target() {
    if (!take('<')) return std::nullopt;
    const std::size_t close = rest_.find('>');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view target = rest_.substr(0, close);
    rest_.remove_prefix(close + 1);
    return target;
  }

  std::string_view take_token() {
    std::size_t length = 0;
    while (length < rest_.size() && is_token_char(rest_[length])) ++length;
    const std::string_view token = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return token;
  }

  std::optional<std::string> take_value() {
    if (!take('"')) {
      const std::string_view token = take_token();
      if (token.empty()) return std::nullopt;
      return std::string(token);
    }
    std::string value;
    while (!rest_.empty()) {
      if (take('"')) return value;
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

struct LinkValue {
  std::string_view target;
  std::string relations;  ///< of the first `rel`; RFC 8288 section 3.3 ignores later ones
};

std::optional<LinkValue> take_link(LinkReader& reader) {
  const auto target = reader.take_target();
  if (!target) return std::nullopt;
  LinkValue link{*target, {}};
  bool has_rel = false;
  while (true) {
    reader.skip_blanks();
    if (!reader.take(';')) return link;
    reader.skip_blanks();
    const std::string name = to_lower(reader.take_token());
    reader.skip_blanks();
    if (name.empty()) continue;  // `;;` and a trailing `;` carry nothing
    std::optional<std::string> value = std::string();
    if (reader.take('=')) {
      reader.skip_blanks();
      value = reader.take_value();
    }
    if (!value) return std::nullopt;
    if (name == "rel" && !has_rel) {
      link.relations = *value;
      has_rel = true;
    }
  }
}

bool has_relation(std::string_view relations, std::string_view wanted) {
  const std::vector<std::string> names = split_list(relations, ' ');
  return std::any_of(names.begin(), names.end(),
                     [wanted](const std::string& name) { return same_but_for_case(name, wanted); });
}

/// The links of one field; nothing if it is malformed.
std::optional<std::vector<LinkValue>> read_links(std::string_view field) {
  std::vector<LinkValue> links;
  LinkReader reader(field);
  while (true) {
    reader.skip_blanks();
    if (reader.at_end()) return links;
    if (reader.take(',')) continue;
    const auto link = take_link(reader);
    if (!link) return std::nullopt;
    links.push_back(*link);
    reader.skip_blanks();
    if (!reader.at_end() && !reader.take(',')) return std::nullopt;
  }
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view value) {
  value = trim(value);
  if (!same_but_for_case(value.substr(0, 6), "bytes ")) return std::nullopt;
  value = trim(value.substr(6));
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view span = value.substr(0, slash);
  const std::string_view size = value.substr(slash + 1);
  ContentRange range;
  if (size != "*") {
    range.total = parse_decimal(size);
    if (!range.total) return std::nullopt;
  }
  if (span == "*") return range.total ? std::optional(range) : std::nullopt;
  const std::size_t dash = span.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = parse_decimal(span.substr(0, dash));
  const auto last = parse_decimal(span.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  if (*last == std::numeric_limits<Bytes>::max()) return std::nullopt;
  if (range.total && *last >= *range.total) return std::nullopt;
  range.begin = *first;
  range.end = *last + 1;
  return range;
}

Result<std::optional<std::string>> parse_link(const std::vector<std::string>& values, std::string_view request_url) {
  std::optional<std::string> next;
  for (const std::string& field : values) {
    const auto links = read_links(field);
    if (!links) {
      return Error(Kind::protocol, fmt::format("the Link header '{}' cannot be read", printable(field, 120)));
    }
    for (const LinkValue& link : *links) {
      if (!has_relation(link.relations, "next")) continue;
      if (link.target.empty()) return Error(Kind::protocol, "the Link header names no next page");
      Result<std::string> url = resolve_reference(request_url, link.target);
      if (!url) return url.error().at("the next page");
      if (next && *next != *url) {
        return Error(Kind::protocol, "the Link header names two different next pages");
      }
      next = *url;
    }
  }
  return next;
}

std::optional<RateLimit> parse_rate_limit(const Headers& headers) {
  const std::optional<std::string> field = headers.get("RateLimit");
  if (!field) return std::nullopt;
  const std::string_view item = std::string_view(*field).substr(0, field->find(','));
  const std::vector<std::string> parts = split_list(item, ';');
  if (parts.empty()) return std::nullopt;
  RateLimit limit;
  limit.bucket = unquote_etag(parts.front());
  std::optional<Bytes> remaining;
  std::optional<Bytes> reset;
  for (const std::string& part : parts) {
    if (part.starts_with("r=")) remaining = parse_decimal(std::string_view(part).substr(2));
    if (part.starts_with("t=")) reset = parse_decimal(std::string_view(part).substr(2));
  }
  if (!remaining || !reset) return std::nullopt;
  limit.remaining = *remaining;
  const Bytes cap = static_cast<Bytes>(longest_wait.count());
  limit.reset = std::chrono::seconds(static_cast<std::int64_t>(std::min(*reset, cap)));
  return limit;
}

std::optional<WallTime> parse_http_date(std::string_view value) {
  const std::string_view text = trim(value);
  // Every form begins with the name of a day; curl_getdate alone would also take a bare number.
  if (text.empty() || text.front() < 'A' || text.front() > 'Z') return std::nullopt;
  const std::time_t seconds = curl_getdate(std::string(text).c_str(), nullptr);
  if (seconds < 0 || seconds > last_second) return std::nullopt;
  return std::chrono::system_clock::from_time_t(seconds);
}

std::optional<std::chrono::seconds> parse_retry_after(const Headers& headers, std::optional<WallTime> now) {
  const std::optional<std::string> field = headers.get("Retry-After");
  if (!field) return std::nullopt;
  const Bytes cap = static_cast<Bytes>(longest_wait.count());
  if (const std::optional<Bytes> count = parse_decimal(trim(*field))) {
    return std::chrono::seconds(static_cast<std::int64_t>(std::min(*count, cap)));
  }
  const std::optional<WallTime> until = parse_http_date(*field);
  if (!until) return std::nullopt;
  if (!now) now = parse_http_date(headers.get("Date").value_or(""));
  if (!now) return std::nullopt;
  const auto wait = std::chrono::ceil<std::chrono::seconds>(*until - *now);
  return std::clamp(wait, std::chrono::seconds(0), longest_wait);
}

std::string unquote_etag(std::string_view value) {
  value = trim(value);
  if (value.starts_with("W/") || value.starts_with("w/")) value.remove_prefix(2);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return std::string(value);
}

}  // namespace hfpour::http
