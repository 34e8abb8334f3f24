// SPDX-License-Identifier: MIT
#include "s3/sigv4.h"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <span>

#include "base/text.h"

namespace hfpour::s3 {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::array<std::string_view, 5> made_here = {"host", "authorization", "x-amz-date", "x-amz-content-sha256",
                                                       "x-amz-security-token"};
constexpr std::array<std::string_view, 7> left_unsigned = {"user-agent", "accept",         "accept-encoding",  "expect",
                                                           "connection", "content-length", "transfer-encoding"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [name](auto each) { return same_but_for_case(each, name); });
}

Sha256 sha256(ByteView bytes) {
  Sha256 digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(), nullptr);
  return digest;
}

Sha256 hmac(ByteView key, std::string_view text) {
  Sha256 digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  return digest;
}

/// `YYYYMMDDTHHMMSSZ`; the first eight characters are the day of the scope.
std::string stamp(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

/// A header value as it is signed: blanks at both ends gone, runs of spaces made one.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : trim(value)) {
    if (c != ' ' || out.back() != ' ') out += c;
  }
  return out;
}

std::string canonical_query(const Query& query) {
  Query encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(percent_encode(name, false), percent_encode(value, false));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

std::string canonical_path(std::string_view path) {
  return path.empty() ? "/" : percent_encode(path, true);
}

/// The signed fields, sorted by lower-case name; repeated ones joined in their order.
std::map<std::string, std::string> signed_fields(const http::Headers& sent) {
  std::map<std::string, std::string> fields;
  for (const http::Header& field : sent.fields()) {
    if (contains(left_unsigned, field.name)) continue;
    const auto [at, fresh] = fields.try_emplace(to_lower(field.name), canonical_value(field.value));
    if (!fresh) at->second += "," + canonical_value(field.value);
  }
  return fields;
}

}  // namespace

Signed Signer::sign(const SigningInput& input, const Credentials& credentials) {
  Signed out;
  out.target = encode_target(input.path, input.query);
  out.headers.add("Host", input.host);
  for (const http::Header& field : input.headers.fields()) {
    if (!contains(made_here, field.name)) out.headers.add(field.name, field.value);
  }
  const std::string time = stamp(input.time);
  out.headers.add("x-amz-date", time);
  out.headers.add("x-amz-content-sha256", input.payload_token);
  if (!credentials.session_token.empty()) {
    out.headers.add("x-amz-security-token", credentials.session_token.reveal());
  }
  out.headers.add("Authorization", authorization(input, credentials, time, out.headers));
  return out;
}

std::string Signer::authorization(const SigningInput& input, const Credentials& credentials, const std::string& time,
                                  const http::Headers& sent) {
  std::string names;
  std::string lines;
  for (const auto& [name, value] : signed_fields(sent)) {
    names.append(names.empty() ? "" : ";").append(name);
    lines.append(name).append(":").append(value).append("\n");
  }
  const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", input.method, canonical_path(input.path),
                                            canonical_query(input.query), lines, names, input.payload_token);
  const std::string_view day = std::string_view(time).substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, input.region);
  const std::string text = fmt::format("{}\n{}\n{}\n{}", algorithm, time, scope, sha256_hex(as_view(canonical)));
  const Sha256 signature = hmac(key_for(day, input.region, credentials.secret), text);
  return fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", algorithm, credentials.access_key_id, scope,
                     names, to_hex(signature));
}

const Sha256& Signer::key_for(std::string_view day, std::string_view region, const Secret& secret) {
  if (day == day_ && region == region_ && secret.reveal() == secret_.reveal()) return key_;
  key_ = hmac(as_view("AWS4" + secret.reveal()), day);
  for (const std::string_view step : {region, std::string_view("s3"), std::string_view("aws4_request")}) {
    key_ = hmac(key_, step);
  }
  day_ = day;
  region_ = region;
  secret_ = secret;
  return key_;
}

std::string encode_target(std::string_view path, const Query& query) {
  return canonical_path(path) + (query.empty() ? "" : "?" + canonical_query(query));
}

std::string sha256_hex(ByteView bytes) {
  return to_hex(sha256(bytes));
}

}  // namespace hfpour::s3
