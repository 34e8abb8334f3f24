// SPDX-License-Identifier: MIT
#include "hub/info.h"

#include <fmt/core.h>

#include <array>
#include <optional>

#include "base/text.h"
#include "hub/bounded_json.h"
#include "hub/repo_ref.h"

namespace hfpour::hub {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 5> info_fields = {"id", "sha", "private", "disabled", "gated"};

Error bad_info(std::string_view rule) {
  return Error(Kind::protocol, fmt::format("the Hub's repository info cannot be read: {}", rule));
}

/// Absent and null count as false; nothing if it is there and not a flag.
std::optional<bool> flag(const json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end() || field->is_null()) return false;
  if (!field->is_boolean()) return std::nullopt;
  return field->get<bool>();
}

std::optional<Gated> read_gated(const json& object) {
  const auto field = object.find("gated");
  if (field == object.end() || field->is_null()) return Gated::no;
  if (field->is_boolean()) return field->get<bool>() ? Gated::manual : Gated::no;
  const std::string* const word = field->get_ptr<const std::string*>();
  if (word == nullptr) return std::nullopt;
  return *word == "auto" ? Gated::automatic : Gated::manual;
}

}  // namespace

Result<RepoInfo> parse_info(std::string_view text) {
  const std::optional<json> parsed = parse_bounded(text, JsonShape{info_fields});
  if (!parsed || !parsed->is_object()) return bad_info("it is not a JSON object");
  const json& object = *parsed;
  const auto id = object.find("id");
  const auto sha = object.find("sha");
  if (id == object.end() || !id->is_string()) return bad_info("it has no 'id'");
  if (sha == object.end() || !sha->is_string()) return bad_info("it has no 'sha'");
  RepoInfo info;
  info.id = id->get<std::string>();
  if (const Result<void> good = check_repo_id(info.id); !good) {
    return bad_info(good.error().sentence);
  }
  info.commit = to_lower(sha->get<std::string>());
  if (!is_commit(info.commit)) {
    return bad_info(fmt::format("'{}' is not a commit", printable(info.commit, 80)));
  }
  const std::optional<bool> is_private = flag(object, "private");
  const std::optional<bool> disabled = flag(object, "disabled");
  const std::optional<Gated> gated = read_gated(object);
  if (!is_private) return bad_info("'private' is not true or false");
  if (!disabled) return bad_info("'disabled' is not true or false");
  if (!gated) return bad_info("'gated' is neither false nor a word");
  info.is_private = *is_private;
  info.disabled = *disabled;
  info.gated = *gated;
  return info;
}

}  // namespace hfpour::hub
