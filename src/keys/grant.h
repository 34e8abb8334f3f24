// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "loop/cancel.h"
#include "loop/task.h"
#include "s3/credentials.h"

namespace hfpour::keys {

/// Keys, and until when they are good.
struct Grant {
  s3::Credentials credentials;
  std::optional<WallTime> expires;  ///< nothing: for ever, as far as anybody says
};

/// One place that gives out keys. Loop thread.
class Issuer {
 public:
  virtual ~Issuer() = default;
  /// Asks once, with the few retries that belong to the place. Errors: one sentence that names the place.
  virtual Task<Result<Grant>> fetch(CancelToken cancel) = 0;
  /// Whether asking again can bring other keys.
  virtual bool renews() const { return true; }
};

/// Longest answer of a place; honest ones stay below 4 KiB.
inline constexpr Bytes longest_answer = 64 * KiB;

/// Keys as a container's agent and the instance's metadata write them: `AccessKeyId`, `SecretAccessKey`, `Token`,
/// `Expiration`, and maybe a `Code` that must be `Success`. Errors: `protocol`; the sentence shows none of the values.
/// Source: contract s3, 5. Pure; any thread.
Result<Grant> parse_json_grant(std::string_view body);

/// The answer to AssumeRoleWithWebIdentity. Errors: `protocol`. Pure; any thread.
Result<Grant> parse_sts_grant(std::string_view body);

/// `Code` of an error answer of STS, without its message, since that may quote the token; empty if there is
/// none, or one that no code is: over 64 characters or not printable ASCII.
std::string parse_sts_error(std::string_view body);

/// Whether a value can stand in a header or a signature: printable ASCII without blanks, not empty, at most 16 KiB.
bool is_key_text(std::string_view text);

}  // namespace hfpour::keys
