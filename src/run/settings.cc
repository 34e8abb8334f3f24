// SPDX-License-Identifier: MIT
#include "run/settings.h"

#include <fmt/core.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "hub/hub_client.h"
#include "keys/profile.h"
#include "run/cgroup.h"
#include "run/settings_parts.h"

namespace hfpour::run {
Result<hub::RepoRef> read_repo(const cli::Options& options) {
  Result<hub::RepoRef> repo = hub::parse_repo_ref(options.source);
  if (!repo || options.revision.empty()) return repo;
  if (repo->revision_given && repo->revision != options.revision) {
    return Error(Kind::usage, fmt::format("two revisions are asked for: '{}' in the source and '{}' beside it",
                                          printable(repo->revision), printable(options.revision)));
  }
  const Result<void> good = hub::check_revision(options.revision);
  if (!good) return good.error();
  repo->revision = options.revision;
  repo->revision_given = true;
  return repo;
}

Result<hub::Selection> read_selection(const cli::Options& options, const hub::RepoRef& repo) {
  if (!repo.path.empty()) {
    if (options.include || options.exclude || !options.preset.empty()) {
      return Error(Kind::usage, "a source that names one file takes no patterns besides");
    }
    return hub::Selection::exactly(repo.path);
  }
  if (!options.preset.empty() && !options.include && !options.exclude) return hub::Selection::preset(options.preset);
  if (!options.preset.empty() && options.include) {
    return Error(Kind::usage, "--preset and --include exclude each other");
  }
  return hub::Selection(options.include, options.exclude.value_or(std::vector<std::string>()));
}

namespace {

struct Place {
  std::string bucket;
  std::string prefix;
};

Result<Place> read_place(const cli::Options& options) {
  Place place{options.bucket, options.prefix};
  if (!options.destination.empty()) {
    Result<s3::Destination> destination = s3::parse_destination(options.destination);
    if (!destination) return destination.error();
    place.bucket = destination->bucket;
    if (destination->prefix) place.prefix = *destination->prefix;
  }
  const Result<void> good = s3::check_bucket(place.bucket);
  if (!good) return good.error();
  Result<std::string> prefix = s3::normalise_prefix(place.prefix);
  if (!prefix) return prefix.error();
  place.prefix = *prefix;
  return place;
}

}  // namespace

Result<keys::Places> read_keys(const cli::Options& options) {
  Result<keys::Places> places = keys::read_places(options.aws);
  if (!places) return places;
  places->given =
      s3::Credentials{options.credentials.access_key_id, options.credentials.secret, options.credentials.session_token};
  if (options.profile.empty()) return places;
  places->profile = options.profile;
  places->profile_asked = true;
  places->profile_first = true;
  return places;
}

Result<s3::Location> read_location(const cli::Options& options, const keys::Places& places, const std::string& bucket) {
  const Result<std::optional<keys::Profile>> profile = keys::read_profile(places);
  if (!profile) return profile.error();
  const auto chosen = [&profile](const std::string& ours, std::string_view theirs) {
    return ours.empty() && profile.value() ? keys::setting(*profile.value(), theirs) : ours;
  };
  const std::string asked = chosen(options.region, "region");
  const std::string address = chosen(options.endpoint_url, "endpoint_url");
  if (address.empty()) return Error(Kind::usage, "not set: S3_ENDPOINT_URL (or --endpoint-url)");
  if (!asked.empty()) {
    const Result<void> good = s3::check_region(asked);
    if (!good) return good.error();
  }
  Result<s3::Endpoint> parsed = s3::parse_endpoint(address);
  if (!parsed) return parsed.error();
  const s3::Endpoint& endpoint = *parsed;
  const std::string region = asked.empty() ? s3::guess_region(endpoint) : asked;
  switch (options.addressing) {
    case cli::Addressing::automatic: break;
    case cli::Addressing::path: return s3::Location(endpoint, bucket, region, s3::Addressing::path);
    case cli::Addressing::virtual_host: return s3::Location(endpoint, bucket, region, s3::Addressing::virtual_host);
  }
  return s3::Location(endpoint, bucket, region);
}

Result<void> check_ca_bundle(const cli::CaBundle& bundle) {
  if (bundle.path.empty()) return {};
  const auto refuse = [&bundle](std::string_view why) {
    return Error(Kind::usage, fmt::format("the CA file '{}' ({}) {}", printable(bundle.path), bundle.origin, why));
  };
  // A pipe would be empty for its second reader, libcurl, and a device may never end.
  std::error_code missing;
  const std::filesystem::file_status status = std::filesystem::status(bundle.path, missing);
  if (std::filesystem::is_directory(status)) return refuse("is a folder: give one file of certificates in PEM form");
  if (std::filesystem::is_other(status)) return refuse("is no regular file: give one that can be read more than once");
  std::ifstream file(bundle.path);
  bool holds_any = false;
  for (std::string line; !holds_any && std::getline(file, line);) {
    holds_any = line.find("-----BEGIN ") != std::string::npos;
  }
  if (holds_any) return {};
  return refuse(file.eof() ? "holds no certificate in PEM form" : "cannot be read");
}

Identity Settings::identity() const {
  return Identity{repo.id, std::string(hub::to_string(repo.type)), repo.revision, selection.describe()};
}

Result<Settings> check(const cli::Options& options) {
  Result<hub::RepoRef> repo = read_repo(options);
  if (!repo) return repo.error();
  Result<hub::Selection> selection = read_selection(options, *repo);
  if (!selection) return selection.error();
  Result<Place> place = read_place(options);
  if (!place) return place.error();
  Result<keys::Places> keys = read_keys(options);
  if (!keys) return keys.error();
  Result<s3::Location> location = read_location(options, *keys, place->bucket);
  if (!location) return location.error();
  Result<std::string> hub_endpoint = hub::check_endpoint(options.hub_endpoint);
  if (!hub_endpoint) return hub_endpoint.error();
  for (const cli::CaBundle& bundle : {options.hub_ca(), options.store_ca()}) {
    const Result<void> ca = check_ca_bundle(bundle);
    if (!ca) return ca.error();
  }

  Settings settings{std::move(*repo),
                    std::move(*selection),
                    std::move(*hub_endpoint),
                    hub::Token(options.hf_token, options.hf_token_file),
                    std::move(*location),
                    "",
                    {},
                    options.hub_ca().path,
                    options.store_ca().path,
                    {}};
  settings.base = place->prefix + settings.repo.id + "/";
  settings.keys = std::move(*keys);
  settings.memory = options.memory > 0 ? options.memory : default_ceiling();
  settings.lanes = static_cast<unsigned>(options.lanes);
  settings.part_size = options.part_size;
  settings.check_md5 = options.upload_check == cli::UploadCheck::md5;
  settings.refresh = options.refresh;
  settings.patience.patience = options.retry_for;
  settings.deadline = options.deadline;
  settings.lease_wait = options.lease_wait;
  settings.gc_after = options.gc_after;
  settings.dry_run = options.dry_run;
  return settings;
}

}  // namespace hfpour::run
