// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "s3/credentials.h"

namespace hfpour::keys {

/// Environment variables by name.
using Variables = std::map<std::string, std::string, std::less<>>;

/// Where the store's keys may be looked for, as the environment says. Plain value.
struct Places {
  s3::Credentials given;         ///< from the environment, already checked; its key id is empty if there are none
  std::string profile;           ///< empty: `default`
  bool profile_asked = false;    ///< somebody named it: then it must exist
  bool profile_first = false;    ///< asked for on the command line: it beats the environment's keys
  std::string credentials_file;  ///< empty: there is no home to look in
  std::string config_file;
  std::string role_arn;
  std::string token_file;  ///< of the web identity
  std::string session_name;
  std::string sts_endpoint;   ///< without a `/` at its end
  std::string container_uri;  ///< empty: no container
  std::string container_token_file;
  Secret container_token;
  bool metadata = true;           ///< ask the instance's metadata service
  std::string metadata_endpoint;  ///< without a `/` at its end
};

/// Reads the variables AWS' own tools read. Errors: `usage` for a value that could not be used: a control character, a
/// container address that is neither https nor one of the few that may be asked in the clear.
/// Source: contract s3, 5. Pure; any thread.
Result<Places> read_places(const Variables& variables);

/// Whether a container's keys may be asked for there: https, or http to this machine or to the addresses that AWS gives
/// its agents. Errors: `usage`. Pure; any thread.
Result<void> check_container_uri(const std::string& uri);

/// A small file that holds one token, such as kubelet writes; read anew each time, because kubelet replaces it.
/// Errors: `usage`, naming `what` and the path, never the content.
Result<Secret> read_token_file(const std::string& path, std::string_view what);

/// The beginning of a file, at most `limit` bytes; nothing if it cannot be read.
std::optional<std::string> read_small_file(const std::string& path, std::size_t limit);

}  // namespace hfpour::keys
