// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "keys/grant.h"
#include "keys/places.h"

namespace hfpour::keys {

/// Settings of one profile, names in lower case.
using Profile = std::map<std::string, std::string, std::less<>>;

/// The settings below a `[section]` of a shared file. Comments, indented lines (settings within settings) and lines
/// that are no settings are passed over; of a name given twice the last counts. Pure; any thread. `config` says whether
/// sections are called `[profile name]`, but for `[default]`.
std::optional<Profile> find_profile(std::string_view text, std::string_view name, bool config);

/// What the profile says in both files together; the credentials file wins. Nothing if it is in neither.
/// Errors: `usage` when it was asked for and is in neither.
Result<std::optional<Profile>> read_profile(const Places& places);

/// The keys that stand in the files themselves, read anew each time: somebody may have replaced them.
class FileIssuer final : public Issuer {
 public:
  explicit FileIssuer(const Places& places) : places_(places) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  const Places& places_;
};

/// A setting of the profile; empty if it has none of that name.
std::string setting(const Profile& profile, std::string_view name);

/// Keys of a profile. Errors: `usage` for half a pair, or values that cannot be keys.
Result<Grant> keys_of(const Profile& profile, const std::string& name);

}  // namespace hfpour::keys
