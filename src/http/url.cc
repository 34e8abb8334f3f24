// SPDX-License-Identifier: MIT
#include "http/url.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::http {
namespace {

bool has_blank_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f;
  });
}

bool is_name_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

bool is_ipv6_host(std::string_view host) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  return host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdef:.") == std::string_view::npos;
}

int default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

/// Splits `host[:port]` into `url`; the rule that is broken, or nothing.
std::optional<std::string_view> read_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) return "a user name has no place in it";
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  url.host = to_lower(authority.substr(0, has_port ? colon : authority.size()));
  if (!is_name_host(url.host) && !is_ipv6_host(url.host)) return "it has no valid host name";
  if (!has_port) return std::nullopt;
  const std::optional<Bytes> port = parse_decimal(authority.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return "its port must be a number from 1 to 65535";
  url.port = static_cast<int>(*port);
  if (url.port == default_port(url.scheme)) url.port = 0;
  return std::nullopt;
}

Error bad_url(std::string_view text, std::string_view rule) {
  return Error(Kind::usage, fmt::format("'{}' is not a usable address: {}", printable(redact(text), 200), rule));
}

std::string_view without_fragment(std::string_view text) {
  return text.substr(0, text.find('#'));
}

/// True for `scheme:` at the front, as RFC 3986 section 3.1 spells schemes.
bool has_scheme(std::string_view reference) {
  const std::size_t colon = reference.find_first_of(":/?#");
  if (colon == 0 || colon == std::string_view::npos || reference[colon] != ':') return false;
  const std::string scheme = to_lower(reference.substr(0, colon));
  return scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") == std::string::npos;
}

/// Works off `.` and `..` of an absolute path; empty segments stay.
std::string remove_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_in_folder = false;
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    ends_in_folder = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!ends_in_folder) kept.push_back(segment);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  if (ends_in_folder || out.empty()) out += '/';
  return out;
}

std::string join_relative(std::string_view base_target, std::string_view reference) {
  const std::string_view base_path = base_target.substr(0, base_target.find('?'));
  if (reference.empty()) return std::string(base_target);
  if (reference.front() == '?') return std::string(base_path).append(reference);
  const std::size_t query = std::min(reference.find('?'), reference.size());
  std::string path(base_path.substr(0, base_path.rfind('/') + 1));
  path.append(reference.substr(0, query));
  return remove_dots(path).append(reference.substr(query));
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (has_blank_or_control(text)) {
    return bad_url(text, "blanks and control characters must be percent-encoded");
  }
  const std::size_t mark = text.find("://");
  Url url;
  url.scheme = to_lower(text.substr(0, mark == std::string_view::npos ? 0 : mark));
  if (url.scheme != "http" && url.scheme != "https") {
    return bad_url(text, "it must begin with http:// or https://");
  }
  const std::string_view rest = without_fragment(text.substr(mark + 3));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const auto broken = read_authority(rest.substr(0, end), url);
  if (broken) return bad_url(text, *broken);
  url.path_and_query = rest.substr(end);
  if (!url.path_and_query.starts_with('/')) url.path_and_query.insert(0, "/");
  return url;
}

std::string origin_of(const Url& url) {
  std::string origin = url.scheme + "://" + to_lower(url.host);
  if (url.port != 0 && url.port != default_port(url.scheme)) {
    origin += fmt::format(":{}", url.port);
  }
  return origin;
}

std::string origin_of_text(std::string_view text) {
  const Result<Url> url = parse_url(text);
  return url ? origin_of(*url) : std::string();
}

bool same_origin(std::string_view a, std::string_view b) {
  const Result<Url> left = parse_url(a);
  const Result<Url> right = parse_url(b);
  return left && right && origin_of(*left) == origin_of(*right);
}

Result<std::string> resolve_reference(std::string_view base, std::string_view reference) {
  const auto as_protocol = [](Error error) {
    error.kind = Kind::protocol;
    return error;
  };
  const Result<Url> from = parse_url(base);
  if (!from) return as_protocol(from.error());
  const std::string_view target = without_fragment(trim(reference));
  std::string absolute;
  if (has_scheme(target)) {
    absolute = target;
  } else if (target.starts_with("//")) {
    absolute = from->scheme + ":" + std::string(target);
  } else if (target.starts_with("/")) {
    absolute = origin_of(*from) + std::string(target);
  } else {
    absolute = origin_of(*from) + join_relative(from->path_and_query, target);
  }
  const Result<Url> checked = parse_url(absolute);
  if (!checked) return as_protocol(checked.error());
  return absolute;
}

}  // namespace hfpour::http
