// SPDX-License-Identifier: MIT
#include "s3/location.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"

namespace hfpour::s3 {
namespace {

constexpr std::string_view aws_domain = ".amazonaws.com";
constexpr std::string_view aws_china_domain = ".amazonaws.com.cn";
constexpr std::string_view backblaze_domain = ".backblazeb2.com";
constexpr std::string_view r2_domain = ".r2.cloudflarestorage.com";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

Error refusal(std::string_view what, std::string_view value, std::string_view rule) {
  return Error(Kind::usage, fmt::format("{} `{}`: {}", what, printable(value, 200), rule));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const std::size_t cut = text.find(separator);
    pieces.push_back(text.substr(0, cut));
    if (cut == std::string_view::npos) return pieces;
    text.remove_prefix(cut + 1);
  }
}

/// The rule that a key breaks; empty if it breaks none.
std::string_view broken_key_rule(std::string_view key) {
  if (key.empty()) return "must not be empty";
  if (key.front() == '/') return "must not begin with `/`";
  if (std::any_of(key.begin(), key.end(), is_control)) {
    return "must not contain control characters";
  }
  if (!is_utf8(key)) return "must be UTF-8";
  for (const std::string_view segment : split(key, '/')) {
    if (segment.empty()) return "must not have empty segments";
    if (segment == "." || segment == "..") return "must not have `.` or `..` segments";
  }
  return {};
}

bool looks_like_ipv4(std::string_view name) {
  const std::vector<std::string_view> labels = split(name, '.');
  return labels.size() == 4 && std::all_of(labels.begin(), labels.end(), [](auto label) {
           return !label.empty() && std::all_of(label.begin(), label.end(), is_digit);
         });
}

/// An address as it may stand in a message: a password or a signed query is not to be repeated.
std::string_view without_secrets(std::string_view address) {
  const bool harmless = address.find_first_of("@?#") == std::string_view::npos;
  return harmless ? address : "(not shown, it may hold a secret)";
}

/// The rule that a host name or bracketed address breaks; empty if it breaks none.
std::string_view broken_host_rule(std::string_view host) {
  if (host.empty()) return "has no host";
  if (host.size() > 253) return "host is longer than 253 bytes";  // RFC 1035, 2.3.4
  if (host.front() == '[') {
    const std::string_view inner = host.substr(1, host.size() - 2);
    const bool fine = host.back() == ']' && inner.size() >= 2 && std::all_of(inner.begin(), inner.end(), [](char c) {
                        return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
                      });
    return fine ? "" : "is not an IPv6 address in brackets";
  }
  const bool known = std::all_of(host.begin(), host.end(),
                                 [](char c) { return is_digit(c) || is_lower(c) || c == '.' || c == '-' || c == '_'; });
  if (!known) return "host may only have letters, digits, `.`, `-` and `_`";
  if (host.front() == '.' || host.find("..") != std::string_view::npos) {
    return "host has an empty label";
  }
  return {};
}

/// The region after the last `s3` label, or inside an old `s3-<region>` label at the end.
std::optional<std::string> aws_region(std::string_view names) {
  const std::vector<std::string_view> labels = split(names, '.');
  for (std::size_t i = labels.size(); i-- > 0;) {
    const std::string_view label = labels[i];
    if (label == "s3" || label == "s3-fips") {
      std::size_t next = i + 1;
      if (next < labels.size() && labels[next] == "dualstack") ++next;
      return std::string(next < labels.size() ? labels[next] : "us-east-1");
    }
    if (label.starts_with("s3-") && i + 1 == labels.size()) return std::string(label.substr(3));
  }
  return std::nullopt;
}

}  // namespace

Result<Destination> parse_destination(std::string_view text) {
  constexpr std::string_view scheme = "s3://";
  if (!text.starts_with(scheme)) {
    return refusal("destination", text, "must look like s3://bucket/prefix/");
  }
  const std::string_view rest = text.substr(scheme.size());
  const std::size_t slash = rest.find('/');
  Destination destination;
  destination.bucket = rest.substr(0, slash);
  if (destination.bucket.empty()) return refusal("destination", text, "names no bucket");
  if (destination.bucket.find('@') != std::string::npos) {
    return refusal("destination", without_secrets(text), "must not have a user or password");
  }
  if (const Result<void> checked = check_bucket(destination.bucket); !checked) {
    return checked.error();
  }
  if (slash == std::string_view::npos) return destination;
  const Result<std::string> prefix = normalise_prefix(rest.substr(slash + 1));
  if (!prefix) return prefix.error();
  destination.prefix = *prefix;
  return destination;
}

Result<void> check_bucket(std::string_view bucket) {
  const auto alnum = [](char c) { return is_lower(c) || is_digit(c); };
  const auto allowed = [&](char c) { return alnum(c) || c == '.' || c == '-'; };
  if (bucket.size() < 3 || bucket.size() > 63) {
    return refusal("bucket", bucket, "must have 3 to 63 characters");
  }
  if (!std::all_of(bucket.begin(), bucket.end(), allowed)) {
    return refusal("bucket", bucket, "may only have lower-case letters, digits, `.` and `-`");
  }
  if (!alnum(bucket.front()) || !alnum(bucket.back())) {
    return refusal("bucket", bucket, "must begin and end with a letter or a digit");
  }
  if (bucket.find("..") != std::string_view::npos) {
    return refusal("bucket", bucket, "must not contain `..`");
  }
  if (looks_like_ipv4(bucket)) {
    return refusal("bucket", bucket, "must not look like an IP address");
  }
  return {};
}

Result<std::string> normalise_prefix(std::string_view prefix) {
  if (prefix.empty()) return std::string();
  std::string_view bare = prefix;
  if (bare.size() > 1 && bare.back() == '/') bare.remove_suffix(1);
  if (const std::string_view rule = broken_key_rule(bare); !rule.empty()) {
    return refusal("prefix", prefix, rule);
  }
  std::string normal(bare);
  normal += '/';
  if (normal.size() > max_prefix_bytes) {
    return refusal("prefix", prefix,
                   fmt::format("must not be longer than {} bytes, a key has only {}", max_prefix_bytes, max_key_bytes));
  }
  return normal;
}

Result<void> check_key(std::string_view key) {
  std::string rule(broken_key_rule(key));
  if (rule.empty() && key.size() > max_key_bytes) {
    rule = fmt::format("has {} bytes, a key has at most {}", key.size(), max_key_bytes);
  }
  if (rule.empty()) return {};
  return Error(Kind::protocol, fmt::format("path `{}` cannot be an object key: {}", printable(key, 200), rule));
}

Result<void> check_region(std::string_view region) {
  const bool known = std::all_of(region.begin(), region.end(), [](char c) {
    return is_digit(c) || is_lower(c) || is_upper(c) || c == '-' || c == '_';
  });
  if (known && !region.empty() && region.size() <= 64) return {};
  return refusal("region", region, "must be 1 to 64 letters, digits, `-` or `_`");
}

std::string Endpoint::authority() const {
  return port == 0 ? host : fmt::format("{}:{}", host, port);
}

std::string Endpoint::url() const {
  return (tls ? "https://" : "http://") + authority();
}

bool Endpoint::is_aws() const {
  return host.ends_with(aws_domain) || host.ends_with(aws_china_domain);
}

Result<Endpoint> parse_endpoint(std::string_view url) {
  const auto refuse = [url](std::string_view rule) { return refusal("endpoint", without_secrets(url), rule); };
  const std::size_t colon = url.find("://");
  const std::string scheme = to_lower(url.substr(0, colon));
  if (colon == std::string_view::npos || (scheme != "https" && scheme != "http")) {
    return refuse("must begin with https:// or http://");
  }
  const std::string_view rest = url.substr(colon + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return refuse("must not have a query or a fragment");
  }
  if (rest.find('@') != std::string_view::npos) return refuse("must not have a user or password");
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 != rest.size()) {
    return refuse("must not have a path; the bucket goes into s3://bucket/prefix/");
  }
  const std::string authority = to_lower(rest.substr(0, slash));
  const std::size_t bracket = authority.find(']');
  const std::size_t port_colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  Endpoint endpoint;
  endpoint.tls = scheme == "https";
  endpoint.host = authority.substr(0, port_colon);
  if (const std::string_view rule = broken_host_rule(endpoint.host); !rule.empty()) {
    return refuse(rule);
  }
  if (port_colon == std::string::npos) return endpoint;
  const auto port = parse_decimal(std::string_view(authority).substr(port_colon + 1));
  if (!port || *port < 1 || *port > 65535) return refuse("port must be a number from 1 to 65535");
  if (*port != (endpoint.tls ? 443 : 80)) endpoint.port = static_cast<std::uint16_t>(*port);
  return endpoint;
}

Endpoint default_endpoint(std::string_view region) {
  const std::string_view domain = region.starts_with("cn-") ? aws_china_domain : aws_domain;
  return Endpoint{true, fmt::format("s3.{}{}", region, domain), 0};
}

std::optional<std::string> region_in_host(std::string_view host) {
  if (host.ends_with(r2_domain)) return "auto";
  for (const std::string_view domain : {aws_domain, aws_china_domain, backblaze_domain}) {
    if (!host.ends_with(domain)) continue;
    std::optional<std::string> region = aws_region(host.substr(0, host.size() - domain.size()));
    if (region && check_region(*region)) return region;
  }
  return std::nullopt;
}

std::string guess_region(const Endpoint& endpoint) {
  return region_in_host(endpoint.host).value_or("us-east-1");
}

Addressing default_addressing(const Endpoint& endpoint, std::string_view bucket) {
  const bool dotted = bucket.find('.') != std::string_view::npos;
  return endpoint.is_aws() && !dotted ? Addressing::virtual_host : Addressing::path;
}

Location::Location(Endpoint endpoint, std::string bucket, std::string region)
    : Location(endpoint, bucket, std::move(region), default_addressing(endpoint, bucket)) {
}

Location::Location(Endpoint endpoint, std::string bucket, std::string region, Addressing addressing)
    : endpoint_(std::move(endpoint)), bucket_(std::move(bucket)), region_(std::move(region)), addressing_(addressing) {
}

std::string Location::host() const {
  return addressing_ == Addressing::path ? endpoint_.host : bucket_ + "." + endpoint_.host;
}

std::string Location::signing_host() const {
  return addressing_ == Addressing::path ? endpoint_.authority() : bucket_ + "." + endpoint_.authority();
}

std::string Location::path(std::string_view key) const {
  std::string path = "/";
  if (addressing_ == Addressing::path) path += bucket_ + (key.empty() ? "" : "/");
  return path.append(key);
}

std::string Location::url(std::string_view target) const {
  return (endpoint_.tls ? "https://" : "http://") + signing_host() + std::string(target);
}

std::string Location::uri(std::string_view key) const {
  return fmt::format("s3://{}/{}", bucket_, key);
}

Location Location::in_region(std::string_view region) const {
  Endpoint endpoint = endpoint_;
  if (endpoint_ == default_endpoint(guess_region(endpoint_)) || endpoint_.host == "s3.amazonaws.com") {
    endpoint = default_endpoint(region);
  }
  return Location(std::move(endpoint), bucket_, std::string(region), addressing_);
}

}  // namespace hfpour::s3
