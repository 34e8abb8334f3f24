// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace hfpour::cli {

/// The environment as a value: tests pass tables, `main` passes the process's own.
class Environment {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  Environment() = default;
  explicit Environment(Values values) : values_(std::move(values)) {}

  /// Copies `NAME=value` strings, such as `environ`, up to the null pointer.
  static Environment from(const char* const* entries);

  /// The value, also when it is empty; nothing when the name is not set. Valid as long as this
  /// object.
  std::optional<std::string_view> find(std::string_view name) const;

  /// The value, or an empty text when it is not set: for names whose empty value means the same.
  std::string_view get(std::string_view name) const;

  /// All of them.
  const Values& values() const { return values_; }

 private:
  Values values_;
};

/// True for `1 ON YES TRUE` in any case: how the Hub's clients read a boolean (contract hub §4.2).
bool is_true(std::string_view text);

/// A token and the file it came from; no file if a variable held it.
struct HubToken {
  Secret value;
  std::string file;
};

/// The Hub token: `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, then the file `HF_TOKEN_PATH`,
/// `$HF_HOME/token`,
/// `$XDG_CACHE_HOME/huggingface/token` or `~/.cache/huggingface/token` (contract hub §4.1).
///
/// Blanks and line breaks around it are dropped; empty means none. `HF_HUB_DISABLE_IMPLICIT_TOKEN`
/// switches the files off, not the variables: here they are the explicit way. A file named by
/// `HF_TOKEN_PATH` that cannot be read adds a warning. Errors: `usage` if the token could not stand
/// in a header; its value is not in the sentence.
Result<HubToken> find_hub_token(const Environment& env, std::vector<std::string>& warnings);

/// A credential from the environment without the blanks and line breaks around it, which a
/// Kubernetes secret made from a file often has. Errors: `usage` if anything but printable ASCII is
/// left; the value is not in the sentence.
Result<Secret> read_secret(const Environment& env, std::string_view name);

}  // namespace hfpour::cli
