// SPDX-License-Identifier: MIT
#include "keys/places.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "http/url.h"
#include "s3/location.h"

namespace hfpour::keys {
namespace {

constexpr std::size_t longest_token = 64 * 1024;
/// Where AWS' agents for ECS and for EKS listen (contract s3, 5).
constexpr std::string_view ecs_agent = "http://169.254.170.2";
constexpr std::array<std::string_view, 3> agents = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
constexpr std::string_view metadata_v4 = "http://169.254.169.254";
constexpr std::string_view metadata_v6 = "http://[fd00:ec2::254]";

class Reader {
 public:
  explicit Reader(const Variables& variables) : variables_(variables) {}

  /// The first of the names that says something.
  std::string first(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      const auto at = variables_.find(name);
      if (at == variables_.end() || at->second.empty()) continue;
      const auto odd = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
      if (std::any_of(at->second.begin(), at->second.end(), odd) && !bad_) {
        bad_ = Error(Kind::usage, fmt::format("{} holds a control character (its value is not shown)", name));
      }
      return at->second;
    }
    return "";
  }
  std::string address(std::initializer_list<std::string_view> names) {
    std::string text = first(names);
    while (text.ends_with('/')) text.pop_back();
    if (!text.empty() && !http::parse_url(text) && !bad_) {
      bad_ = Error(Kind::usage, fmt::format("{} '{}' is not an http or https address", *names.begin(),
                                            printable(redact(text), 100)));
    }
    return text;
  }
  const std::optional<Error>& bad() const { return bad_; }

 private:
  const Variables& variables_;
  std::optional<Error> bad_;
};

std::string home_file(const std::string& named, const std::string& home, std::string_view standard) {
  if (named.starts_with("~/") && !home.empty()) return home + named.substr(1);
  if (!named.empty()) return named;
  return home.empty() ? "" : home + std::string(standard);
}

Result<std::string> sts_address(Reader& read) {
  std::string given = read.address({"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"});
  if (!given.empty()) return given;
  const std::string region = read.first({"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (region.empty()) return std::string("https://sts.amazonaws.com");
  const Result<void> good = s3::check_region(region);
  if (!good) return good.error();
  return "https://sts." + region + (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
}

}  // namespace

Result<void> check_container_uri(const std::string& uri) {
  const Result<http::Url> url = http::parse_url(uri);
  if (!url) return url.error().at("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (url->scheme == "https") return {};
  const std::string& host = url->host;
  const bool digits = host.find_first_not_of("0123456789.") == std::string::npos;
  const bool here = host == "localhost" || host == "[::1]" || (host.starts_with("127.") && digits);
  if (here || std::find(agents.begin(), agents.end(), host) != agents.end()) return {};
  return Error(Kind::usage,
               fmt::format("AWS_CONTAINER_CREDENTIALS_FULL_URI '{}': in the clear only this machine and AWS' own "
                           "addresses are asked, others need https",
                           printable(redact(uri), 100)));
}

Result<Places> read_places(const Variables& variables) {
  Reader read(variables);
  Places places;
  const std::string home = read.first({"HOME"});
  places.profile = read.first({"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
  places.profile_asked = !places.profile.empty();
  places.credentials_file = home_file(read.first({"AWS_SHARED_CREDENTIALS_FILE"}), home, "/.aws/credentials");
  places.config_file = home_file(read.first({"AWS_CONFIG_FILE"}), home, "/.aws/config");
  places.role_arn = read.first({"AWS_ROLE_ARN"});
  places.token_file = read.first({"AWS_WEB_IDENTITY_TOKEN_FILE"});
  places.session_name = read.first({"AWS_ROLE_SESSION_NAME"});
  Result<std::string> sts = sts_address(read);
  if (!sts) return sts.error();
  places.sts_endpoint = *sts;
  const std::string relative = read.first({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"});
  places.container_uri =
      relative.empty() ? read.first({"AWS_CONTAINER_CREDENTIALS_FULL_URI"}) : std::string(ecs_agent) + relative;
  places.container_token_file = read.first({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"});
  places.container_token = Secret(read.first({"AWS_CONTAINER_AUTHORIZATION_TOKEN"}));
  places.metadata = to_lower(read.first({"AWS_EC2_METADATA_DISABLED"})) != "true";
  places.metadata_endpoint = read.address({"AWS_EC2_METADATA_SERVICE_ENDPOINT"});
  if (places.metadata_endpoint.empty()) {
    const bool v6 = to_lower(read.first({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"})) == "ipv6";
    places.metadata_endpoint = v6 ? metadata_v6 : metadata_v4;
  }
  if (read.bad()) return *read.bad();
  if (!relative.empty() && !relative.starts_with('/')) {
    return Error(Kind::usage, fmt::format("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI '{}' does not begin with /",
                                          printable(relative, 100)));
  }
  if (!places.container_uri.empty()) {
    const Result<void> good = check_container_uri(places.container_uri);
    if (!good) return good.error();
  }
  return places;
}

std::optional<std::string> read_small_file(const std::string& path, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(limit, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

Result<Secret> read_token_file(const std::string& path, std::string_view what) {
  const std::optional<std::string> text = read_small_file(path, longest_token + 1);
  if (!text) return Error(Kind::usage, fmt::format("{} '{}' cannot be read", what, printable(path, 200)));
  if (text->empty()) return Error(Kind::usage, fmt::format("{} '{}' is empty", what, printable(path, 200)));
  if (text->size() > longest_token)
    return Error(Kind::usage, fmt::format("{} '{}' is too long to be a token", what, printable(path, 200)));
  return Secret(*text);
}

}  // namespace hfpour::keys
