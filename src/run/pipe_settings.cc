// SPDX-License-Identifier: MIT
#include "run/pipe_settings.h"

#include <fmt/core.h>

#include "base/text.h"
#include "hub/hub_client.h"
#include "run/cgroup.h"
#include "run/settings_parts.h"
#include "s3/object.h"
#include "s3/quirks.h"

namespace hfpour::run {
namespace {

Result<void> read_hub(const cli::Options& options, PipeSettings& settings) {
  Result<hub::RepoRef> repo = read_repo(options);
  if (!repo) return repo.error();
  if (options.action == cli::Action::cat && repo->path.empty()) {
    return Error(Kind::usage,
                 fmt::format("'{}' names no file: write hf://owner/name/path, or use hfpour tar for all of them",
                             printable(options.source, 100)));
  }
  Result<hub::Selection> selection = read_selection(options, *repo);
  if (!selection) return selection.error();
  Result<std::string> endpoint = hub::check_endpoint(options.hub_endpoint);
  if (!endpoint) return endpoint.error();
  settings.repo = std::move(*repo);
  settings.selection = std::move(*selection);
  settings.hub_endpoint = std::move(*endpoint);
  settings.hf_token = hub::Token(options.hf_token, options.hf_token_file);
  return {};
}

/// A bucket and what keys in it begin with. A bucket alone means a prefix elsewhere, and what is dropped here may be
/// another tool's.
Result<s3::ObjectName> read_place(std::string_view address) {
  Result<s3::Destination> place = s3::parse_destination(address);
  if (!place) return place.error();
  if (!place->prefix) {
    return Error(Kind::usage, fmt::format("write s3://{0}/ for the whole bucket, or s3://{0}/models/ for a part of it",
                                          place->bucket));
  }
  Result<std::string> prefix = s3::normalise_prefix(*place->prefix);
  if (!prefix) return prefix.error();
  return s3::ObjectName{place->bucket, std::move(*prefix)};
}

Result<void> read_store(const cli::Options& options, std::string_view address, PipeSettings& settings) {
  Result<s3::ObjectName> object =
      options.action == cli::Action::gc ? read_place(address) : s3::parse_object_name(address);
  if (!object) return object.error();
  Result<keys::Places> keys = read_keys(options);
  if (!keys) return keys.error();
  Result<s3::Location> location = read_location(options, *keys, object->bucket);
  if (!location) return location.error();
  settings.equal_parts = s3::quirks_of(location->endpoint()).equal_parts;
  settings.location = std::move(*location);
  settings.key = object->key;
  settings.keys = std::move(*keys);
  return {};
}

}  // namespace

Result<PipeSettings> check_pipe(const cli::Options& options) {
  PipeSettings settings;
  settings.command = options.action;
  const bool at_destination = options.action == cli::Action::put || options.action == cli::Action::gc;
  const bool store = at_destination || options.source.starts_with("s3://");
  const Result<void> read = store ? read_store(options, at_destination ? options.destination : options.source, settings)
                                  : read_hub(options, settings);
  if (!read) return read.error();
  if (store && !at_destination && !options.revision.empty())
    return Error(Kind::usage, "an object of a bucket has no --revision");
  const cli::CaBundle& bundle = store ? options.store_ca() : options.hub_ca();
  const Result<void> ca = check_ca_bundle(bundle);
  if (!ca) return ca.error();
  settings.ca_bundle = bundle.path;
  settings.memory = options.memory > 0 ? options.memory : default_ceiling();
  settings.lanes = static_cast<unsigned>(options.lanes);
  settings.part_size = options.part_size;
  settings.check_md5 = options.upload_check == cli::UploadCheck::md5;
  settings.range = options.range;
  settings.patience.patience = options.retry_for;
  settings.older_than = options.older_than;
  settings.dry_run = options.dry_run;
  settings.expected_size = options.expected_size;
  settings.input = options.source;
  if (!options.sha256.empty()) settings.sha256 = parse_hash(to_string(HashKind::sha256), options.sha256);
  return settings;
}

}  // namespace hfpour::run
