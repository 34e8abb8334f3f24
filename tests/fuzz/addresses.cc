// SPDX-License-Identifier: MIT
// Addresses: of the web, of repositories, of buckets and of objects in them.
#include "base/text.h"
#include "harness.h"
#include "http/url.h"
#include "hub/repo_ref.h"
#include "keys/places.h"
#include "s3/location.h"
#include "s3/object.h"

namespace hfpour::fuzz {
namespace {

void take_url(std::string_view input) {
  const Result<http::Url> url = http::parse_url(input);
  if (!url) return require_fit_for_a_log(url.error());
  const std::string printed = http::origin_of(*url) + url->path_and_query;
  const Result<http::Url> again = http::parse_url(printed);
  require(again && *again == *url, "an address can be written and read again");
  require(http::same_origin(input, printed), "an address has one origin");
  const auto resolved = http::resolve_reference("https://huggingface.co/a/b?c", input);
  require(resolved && http::same_origin(*resolved, input), "an absolute address stays what it is");
}

void take_reference(std::string_view input) {
  for (const std::string_view base : {"https://huggingface.co", "http://[::1]:8080/a/../b/?q=/x"}) {
    const Result<std::string> url = http::resolve_reference(base, input);
    if (!url) require_fit_for_a_log(url.error());
    if (url) require(http::parse_url(*url).has_value(), "a reference leads to an address");
  }
}

void take_repository(std::string_view input) {
  const Result<hub::RepoRef> ref = hub::parse_repo_ref(input);
  if (!ref) return require_fit_for_a_log(ref.error());
  require(hub::check_repo_id(ref->id) && hub::check_revision(ref->revision), "the parts follow their rules");
  std::string printed = "hf://" + std::string(hub::to_string(ref->type)) + "s/" + ref->id;
  if (ref->revision_given) printed += "@" + percent_encode(ref->revision, false);
  if (!ref->path.empty()) printed += "/" + ref->path;
  const Result<hub::RepoRef> again = hub::parse_repo_ref(printed);
  // Without a revision a legacy name and a path look like owner and name, and a mark in the path like one behind the
  // name.
  const bool clear = ref->revision_given || ref->path.empty();
  if (clear) require(again && *again == *ref, "a repository can be written and read again");
  for (const std::string& path :
       {hub::info_path(*ref), hub::tree_path(*ref, "c"), hub::resolve_path(*ref, "c", ref->path)}) {
    require(http::parse_url("https://h" + path).has_value(), "a route is an address");
  }
}

void take_place(std::string_view input) {
  const Result<s3::Destination> place = s3::parse_destination(input);
  if (!place) return require_fit_for_a_log(place.error());
  require(s3::check_bucket(place->bucket).has_value(), "the bucket follows its rule");
  const std::string prefix = place->prefix.value_or("");
  const Result<std::string> normal = s3::normalise_prefix(prefix);
  require(normal && *normal == prefix, "the prefix follows its rule");
  const Result<s3::Destination> again =
      s3::parse_destination("s3://" + place->bucket + (place->prefix ? "/" + prefix : ""));
  require(again && again->bucket == place->bucket && again->prefix == place->prefix,
          "a place can be written and read again");
}

void take_endpoint(std::string_view input) {
  const Result<s3::Endpoint> endpoint = s3::parse_endpoint(input);
  if (!endpoint) return require_fit_for_a_log(endpoint.error());
  const Result<s3::Endpoint> again = s3::parse_endpoint(endpoint->url());
  require(again && *again == *endpoint, "an endpoint can be written and read again");
  const std::string region = s3::guess_region(*endpoint);
  require(s3::check_region(region).has_value(), "a guessed region is a region");
  for (const auto how : {s3::Addressing::path, s3::Addressing::virtual_host}) {
    const s3::Location location = s3::Location(*endpoint, "bucket", region, how).in_region("eu-west-1");
    const bool numbers = endpoint->host.starts_with('[');
    if (!numbers || how == s3::Addressing::path)
      require(http::parse_url(location.url("/a")).has_value(), "an object has an address");
  }
}

void take_key(std::string_view input) {
  const Result<s3::ObjectName> object = s3::parse_object_name(input);
  if (!object) require_fit_for_a_log(object.error());
  if (object) require(input == "s3://" + object->bucket + "/" + object->key, "an object can be written again");
  const Result<void> key = s3::check_key(input);
  if (!key) return require_fit_for_a_log(key.error());
  const s3::Location location(s3::Endpoint{true, "h", 0}, "bucket", "r", s3::Addressing::path);
  const Result<http::Url> url = http::parse_url(location.url(percent_encode(location.path(input), true)));
  require(url && percent_decode(url->path_and_query) == "/bucket/" + std::string(input), "a key can be asked for");
}

/// A password in an address is a mistake that is refused, not repeated.
void take_password(std::string_view input) {
  const std::string text = "https://me:" + std::string(hidden) + "@" + std::string(input);
  const Result<http::Url> url = http::parse_url(text);
  const Result<hub::RepoRef> ref = hub::parse_repo_ref(text);
  const Result<s3::Endpoint> endpoint = s3::parse_endpoint(text);
  const Result<s3::Destination> place = s3::parse_destination("s3" + text.substr(5));
  require(!url && !ref && !endpoint && !place, "no address has a password");
  for (const Error& error : {url.error(), ref.error(), endpoint.error(), place.error()})
    require_kept_secret(error, input);
}

}  // namespace

void take(std::string_view input) {
  take_url(input);
  take_reference(input);
  take_repository(input);
  take_place(input);
  take_endpoint(input);
  take_key(input);
  take_password(input);
  const Result<void> agent = keys::check_container_uri(std::string(input));
  if (!agent) require_fit_for_a_log(agent.error());
}

}  // namespace hfpour::fuzz
