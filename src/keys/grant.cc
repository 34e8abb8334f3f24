// SPDX-License-Identifier: MIT
#include "keys/grant.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "base/iso_time.h"
#include "base/text.h"

namespace hfpour::keys {
namespace {

constexpr std::size_t longest_value = 16 * 1024;
constexpr std::size_t longest_code = 64;  // as for the codes of the store: more is no code, but an answer gone wrong

Error odd(std::string_view what) {
  return Error(Kind::protocol, fmt::format("the answer {}", what));
}

struct Values {
  std::string id;
  std::string secret;
  std::string token;
  std::string expires;  ///< empty: not said
};

Result<Grant> checked(Values values) {
  if (!is_key_text(values.id)) return odd("has no usable AccessKeyId");
  if (!is_key_text(values.secret)) return odd("has no usable SecretAccessKey");
  if (!values.token.empty() && !is_key_text(values.token)) return odd("has no usable session token");
  Grant grant;
  if (values.expires.ends_with("+00:00")) values.expires.replace(values.expires.size() - 6, 6, "Z");
  if (!values.expires.empty()) {
    grant.expires = parse_iso_time(values.expires);
    if (!grant.expires) return odd("has an Expiration that cannot be read");
  }
  grant.credentials =
      s3::Credentials{std::move(values.id), Secret(std::move(values.secret)), Secret(std::move(values.token))};
  return grant;
}

/// The text of a field; empty when it is missing, null, or no text.
std::string text_of(const nlohmann::json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end() || !field->is_string()) return "";
  return field->get<std::string>();
}

/// The first element below `parent` of that name, whatever its name space.
pugi::xml_node child(const pugi::xml_node& parent, std::string_view name) {
  for (const pugi::xml_node& node : parent) {
    const std::string_view full = node.name();
    const std::size_t colon = full.rfind(':');
    if (node.type() == pugi::node_element && full.substr(colon == std::string_view::npos ? 0 : colon + 1) == name)
      return node;
  }
  return {};
}

std::string value_of(const pugi::xml_node& parent, std::string_view name) {
  return std::string(trim(child(parent, name).text().get()));
}

}  // namespace

bool is_key_text(std::string_view text) {
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
  return !text.empty() && text.size() <= longest_value && std::all_of(text.begin(), text.end(), plain);
}

Result<Grant> parse_json_grant(std::string_view body) {
  const nlohmann::json object = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  if (!object.is_object()) return odd("is not a JSON object");
  const std::string code = text_of(object, "Code");
  if (!code.empty() && code != "Success") return odd(fmt::format("says '{}'", printable(code, 64)));
  return checked(Values{text_of(object, "AccessKeyId"), text_of(object, "SecretAccessKey"), text_of(object, "Token"),
                        text_of(object, "Expiration")});
}

Result<Grant> parse_sts_grant(std::string_view body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8))
    return odd("is not XML");
  const pugi::xml_node root = child(document, "AssumeRoleWithWebIdentityResponse");
  const pugi::xml_node found = child(child(root, "AssumeRoleWithWebIdentityResult"), "Credentials");
  if (!found) return odd("holds no Credentials");
  return checked(Values{value_of(found, "AccessKeyId"), value_of(found, "SecretAccessKey"),
                        value_of(found, "SessionToken"), value_of(found, "Expiration")});
}

std::string parse_sts_error(std::string_view body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8)) return "";
  const pugi::xml_node root = child(document, "ErrorResponse");
  const std::string code = value_of(child(root ? root : document, "Error"), "Code");
  return is_key_text(code) && code.size() <= longest_code ? code : "";
}

}  // namespace hfpour::keys
