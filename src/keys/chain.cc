// SPDX-License-Identifier: MIT
#include "keys/chain.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "keys/issuers.h"
#include "keys/profile.h"

namespace hfpour::keys {
namespace {

constexpr std::chrono::minutes early{15};
constexpr std::chrono::minutes late{10};
constexpr std::chrono::minutes pause_after_failure{1};

/// A way to keys that a profile names and that is not gone here; empty if it names none.
std::string_view unknown_way(const Profile& profile) {
  for (const std::string_view field : {"credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source",
                                       "role_arn"}) {
    if (profile.contains(field)) return field;
  }
  return "";
}

}  // namespace

Chain::Chain(const Places& places, Legs legs, Observer& observer)
    : reactor_(legs.sts.reactor()), places_(places), legs_(legs), observer_(observer) {}

Chain::~Chain() = default;

Task<Result<s3::Credentials>> Chain::get(CancelToken cancel) {
  while (true) {
    if (cancel.cancelled()) co_return cancel.error();
    const SteadyTime now = reactor_.clock().now();
    if (current_ && (now < renew_at_ || (renewing_ && now < wait_at_))) co_return *current_;
    if (!renewing_) break;
    const unsigned before = failures_;
    co_await renewed_.wait(cancel);
    if (failures_ != before && !current_) co_return failure_;
  }
  renewing_ = true;
  Result<Grant> got = co_await fetch(cancel);
  renewing_ = false;
  if (got) keep(std::move(*got));
  if (!got && got.error().kind != Kind::cancelled) note_failure(got.error());
  renewed_.notify();
  if (got || (current_ && got.error().kind != Kind::cancelled)) co_return *current_;
  co_return got.error().kind == Kind::cancelled ? got.error() : failure_;
}

/// Old keys that are still good serve on; the next try is a minute away. Without any, whoever waited learns why.
void Chain::note_failure(const Error& error) {
  failure_ = error;
  failure_.given_up = !served_;
  ++failures_;
  const SteadyTime now = reactor_.clock().now();
  if (now >= dead_at_) current_.reset();
  if (!current_) return;
  renew_at_ = wait_at_ = std::min<SteadyTime>(now + pause_after_failure, dead_at_);
  observer_.remark("the store's keys could not be renewed yet: " + error.describe());
}

/// When to look again follows from what is left of the keys' life. Keys that seem to have expired already serve for a minute:
/// this machine's clock may be wrong, and the store will tell.
void Chain::keep(Grant grant) {
  current_ = std::move(grant.credentials);
  served_ = true;
  renew_at_ = wait_at_ = dead_at_ = SteadyTime::max();
  if (!grant.expires) return;
  const SteadyTime now = reactor_.clock().now();
  auto left = std::chrono::duration_cast<Millis>(*grant.expires - reactor_.clock().wall());
  if (left.count() <= 0) left = std::chrono::minutes(1);
  dead_at_ = now + left;
  wait_at_ = now + (left > 2 * late ? left - late : left / 2);
  renew_at_ = left > 2 * early ? now + left - early : wait_at_;
}

bool Chain::refused(const s3::Credentials& used) {
  if (!issuer_ || !issuer_->renews()) return false;
  const bool same = current_ && current_->access_key_id == used.access_key_id &&
                    current_->session_token.reveal() == used.session_token.reveal() &&
                    current_->secret.reveal() == used.secret.reveal();
  if (same) {
    current_.reset();
    dead_at_ = reactor_.clock().now();
  }
  return true;
}

Task<Result<Grant>> Chain::fetch(CancelToken cancel) {
  if (!issuer_) {
    Result<Grant> found = co_await find(cancel);
    co_return found;
  }
  Result<Grant> got = co_await issuer_->fetch(cancel);
  // A service that has answered before is in trouble when it does not, and not missing.
  if (!got && got.error().kind == Kind::not_found) {
    Error error = got.error();
    error.kind = Kind::unavailable;
    co_return error;
  }
  co_return got;
}

Task<Result<Grant>> Chain::find(CancelToken cancel) {
  if (!places_.given.anonymous() && !places_.profile_first) {
    issuer_ = std::make_unique<FixedIssuer>(places_.given);
  } else if (!places_.token_file.empty() && !places_.role_arn.empty() && !places_.profile_first) {
    issuer_ = std::make_unique<WebIdentityIssuer>(legs_.sts, places_.sts_endpoint,
                                                  Role{places_.role_arn, places_.token_file, places_.session_name});
  } else {
    Result<std::unique_ptr<Issuer>> named = from_profile();
    if (!named) co_return named.error();
    issuer_ = std::move(*named);
  }
  if (!issuer_ && !places_.container_uri.empty()) issuer_ = std::make_unique<ContainerIssuer>(legs_.agent, places_);
  if (issuer_) {
    Result<Grant> got = co_await issuer_->fetch(cancel);
    co_return got;
  }
  if (!places_.metadata) co_return Error(Kind::usage, nowhere("AWS_EC2_METADATA_DISABLED is set"));
  auto metadata = std::make_unique<MetadataIssuer>(legs_.metadata, places_.metadata_endpoint);
  Result<Grant> got = co_await metadata->fetch(cancel);
  if (!got && got.error().kind == Kind::not_found) co_return Error(Kind::usage, nowhere(got.error().sentence));
  issuer_ = std::move(metadata);
  co_return got;
}

/// The profile's way to keys; null if there is no profile or it says nothing of keys.
Result<std::unique_ptr<Issuer>> Chain::from_profile() {
  const Result<std::optional<Profile>> profile = read_profile(places_);
  if (!profile) return profile.error();
  if (!*profile) return std::unique_ptr<Issuer>();
  const Profile& fields = **profile;
  if (fields.contains("aws_access_key_id") || fields.contains("aws_secret_access_key")) {
    return std::unique_ptr<Issuer>(std::make_unique<FileIssuer>(places_));
  }
  const auto role = fields.find("role_arn");
  const auto token = fields.find("web_identity_token_file");
  if (role != fields.end() && token != fields.end()) {
    const auto name = fields.find("role_session_name");
    return std::unique_ptr<Issuer>(std::make_unique<WebIdentityIssuer>(
        legs_.sts, places_.sts_endpoint, Role{role->second, token->second, name == fields.end() ? "" : name->second}));
  }
  const std::string_view way = unknown_way(fields);
  if (way.empty()) return std::unique_ptr<Issuer>();
  return Error(Kind::usage, fmt::format("the profile '{}' gets its keys by {}, which hfpour does not do: put keys, or role_arn and "
                                        "web_identity_token_file there",
                                        printable(places_.profile.empty() ? "default" : places_.profile, 100), way));
}

std::string Chain::nowhere(const std::string& metadata) const {
  const auto shown = [](const std::string& path) { return path.empty() ? std::string("~/.aws (HOME is not set)") : printable(path, 200); };
  return fmt::format(
      "no keys for the store: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, nor AWS_ROLE_ARN with "
      "AWS_WEB_IDENTITY_TOKEN_FILE; the profile '{}' has none in {} or {}; no AWS_CONTAINER_CREDENTIALS_FULL_URI or "
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set; metadata of the machine: {}",
      printable(places_.profile.empty() ? "default" : places_.profile, 100), shown(places_.credentials_file),
      shown(places_.config_file), metadata);
}

}  // namespace hfpour::keys
