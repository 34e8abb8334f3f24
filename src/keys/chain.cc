// SPDX-License-Identifier: MIT
#include "keys/chain.h"

#include <fmt/core.h>

#include "base/text.h"
#include "keys/profile.h"

namespace hfpour::keys {

Task<Result<Grant>> Chain::fetch(CancelToken cancel) {
  if (!found_) {
    Result<std::unique_ptr<Issuer>> found = find();
    if (!found) co_return found.error();
    found_ = std::move(*found);
  }
  if (!found_) co_return Error(Kind::usage, nothing_found());
  Result<Grant> grant = co_await found_->fetch(cancel);
  co_return grant;
}

/// Null when no place has anything to say.
Result<std::unique_ptr<Issuer>> Chain::find() const {
  using Found = std::unique_ptr<Issuer>;
  if (!places_.profile_first && !places_.given.access_key_id.empty())
    return Found(std::make_unique<GivenIssuer>(places_.given));
  if (!places_.profile_first && !places_.token_file.empty()) {
    if (places_.role_arn.empty())
      return Error(Kind::usage, "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
    WebIdentity identity{places_.role_arn, places_.token_file, places_.session_name, places_.sts_endpoint};
    return Found(std::make_unique<WebIdentityIssuer>(legs_, random_, std::move(identity)));
  }
  const Result<std::optional<Profile>> profile = read_profile(places_);
  if (!profile) return profile.error();
  if (*profile) {
    Result<Found> issuer = issuer_of(**profile, places_, legs_, random_);
    if (!issuer || *issuer) return issuer;
  }
  if (!places_.container_uri.empty()) return Found(std::make_unique<ContainerIssuer>(legs_, places_));
  if (!places_.metadata) return Found();
  return Found(std::make_unique<MetadataIssuer>(legs_, places_.metadata_endpoint, nothing_found()));
}

std::string Chain::nothing_found() const {
  const std::string name = printable(places_.profile.empty() ? "default" : places_.profile, 100);
  const std::string files =
      places_.credentials_file.empty() && places_.config_file.empty()
          ? "there is no home with an .aws/credentials"
          : fmt::format("there are no keys for the profile '{}' in '{}' or '{}'", name,
                        printable(places_.credentials_file, 200), printable(places_.config_file, 200));
  return fmt::format(
      "no credentials for the store: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, nor is "
      "AWS_WEB_IDENTITY_TOKEN_FILE; {}; neither AWS_CONTAINER_CREDENTIALS_FULL_URI nor _RELATIVE_URI is set; {}",
      files,
      places_.metadata ? "the instance's metadata at " + places_.metadata_endpoint
                       : std::string("AWS_EC2_METADATA_DISABLED is true"));
}

}  // namespace hfpour::keys
