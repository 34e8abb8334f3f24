// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hfpour::hub {

/// Which repository, and which state of it. Passive; made by `parse_repo_ref`.
struct RepoRef {
  enum class Type { model, dataset, space };
  Type type = Type::model;
  std::string id;                 ///< `owner/name`, or a legacy name without an owner (`gpt2`)
  std::string revision = "main";  ///< branch, tag, commit or `refs/…`; decoded
  bool revision_given = false;    ///< false: whatever branch the Hub calls the default
  std::string path;               ///< part of the repository an address names; else empty
  bool operator==(const RepoRef&) const = default;
};

/// Reads `hf://[models/|datasets/|spaces/]owner/name[@revision][/path]`, or plain `owner/name` or
/// `name` with an optional `@revision`; `:` may stand for `@`, as KServe writes it.
///
/// After `@` the official client's rule holds: `refs/pr/N` and `refs/convert/NAME` are taken whole,
/// any other revision ends at the next `/` and may hold a slash as `%2F`. Errors: `usage`, naming
/// the value and the rule. Pure; any thread.
/// Source: huggingface_hub `utils/_hf_uris.py` (read 2026-10).
Result<RepoRef> parse_repo_ref(std::string_view text);

/// Checks an id without asking anybody. Errors: `usage`. Pure; any thread.
/// Source: huggingface_hub `utils/_validators.py`, contract hub section 1.1.
Result<void> check_repo_id(std::string_view id);

/// Checks a revision by git's rules for names of refs. Errors: `usage`. Pure; any thread.
/// Source: git-check-ref-format(1).
Result<void> check_revision(std::string_view revision);

/// True for a full commit: 40 lower-case hex digits. Pure; any thread.
bool is_commit(std::string_view text);

/// `owner/name@main`, `datasets/owner/name@main`: for messages. Pure; any thread.
std::string to_string(const RepoRef& ref);

/// `model`, `dataset`, `space`. Pure; any thread.
std::string_view to_string(RepoRef::Type type);

/// `/api/models/owner/name`. This and the next functions give what follows the endpoint, encoded;
/// pure, any thread. Source: contract hub sections 1.1, 2.1, 3.1.
std::string api_path(const RepoRef& ref);

/// Where the commit of the asked revision stands: `/api/models/owner/name/revision/refs%2Fpr%2F3`,
/// or `api_path` alone when no revision was given.
std::string info_path(const RepoRef& ref);

/// The first page of the listing of a commit: all folders, files as they are.
std::string tree_path(const RepoRef& ref, std::string_view commit);

/// Where the bytes of a file are asked for: `/datasets/owner/name/resolve/COMMIT/a%20b.json`.
std::string resolve_path(const RepoRef& ref, std::string_view commit, std::string_view path);

}  // namespace hfpour::hub
