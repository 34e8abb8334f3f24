// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hfpour {

/// What went wrong, as far as the program has to act differently on it.
///
/// The exit status (`cli/exit_status.h`) and the question "is another try worth it?" (`is_retryable`) both
/// follow from the kind alone; everything else in an `Error` is there for the reader.
enum class Kind {
  cancelled,        ///< somebody stopped the work: a signal, a failed sibling
  usage,            ///< the command line, the environment or a setting is wrong
  not_found,        ///< repository, revision, file or bucket is not there
  empty_selection,  ///< the patterns matched no file
  forbidden,        ///< credentials refused, gated or private, no permission
  integrity,        ///< bytes differ from what the Hub promised
  quota,            ///< the store is full, or a limit of it would be broken
  busy,             ///< another run has the place, or has taken it over
  throttled,        ///< asked to slow down
  unavailable,      ///< the other side is in trouble (5xx)
  network,          ///< no connection, or it broke
  timeout,          ///< nothing moved for too long
  expired,          ///< a signed address or a session is no longer good; a fresh one may be
  protocol,         ///< an answer no server should give
  internal,         ///< a bug here
};

/// The word for a kind, as it stands in JSON output.
std::string_view to_string(Kind kind);

/// One failure as a value: a kind, one sentence, and the facts the remote side gave.
///
/// The sentence is lower case, without a full stop and without a newline. Context is put in front as the error
/// rises (`at`), so the finished line reads from the outside in.
struct Error {
  Kind kind = Kind::internal;
  std::string sentence;
  int http_status = 0;                                   ///< 0 when no HTTP answer was involved
  std::string code;                                      ///< the remote side's own word: `SlowDown`, `GatedRepo`
  std::string request_id;                                ///< what the remote side's support would ask for
  std::optional<std::chrono::milliseconds> retry_after;  ///< the remote side's own wish
  bool given_up = false;  ///< the patience for this was used up below: nobody above tries again

  Error() = default;
  Error(Kind k, std::string text) : kind(k), sentence(std::move(text)) {}

  /// The same error with `where: ` in front of its sentence.
  Error at(std::string_view where) const;

  /// Sentence plus status, code and request id in brackets, for a log line.
  std::string describe() const;
};

/// True when the same request may succeed a little later. The one place that decides it.
bool is_retryable(Kind kind);

}  // namespace hfpour
