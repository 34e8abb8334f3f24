// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "transfer/file_entry.h"

namespace hfpour::hub {

/// The files of one page of a listing, in the order of the page; folders and unknown kinds are left
/// out.
///
/// A file kept by LFS has the SHA-256 and size of its content, any other file its git blob hash.
/// Whether a path may become a key is not asked here. Errors: `protocol` for anything but a list of
/// well-formed entries (a field that is missing, twice there or of the wrong type, a path listed
/// twice); `forbidden` when a hash is blotted out, which the Hub does in gated repositories for
/// callers without access. Pure; any thread. Source: contract hub section 2.3.
Result<std::vector<FileEntry>> parse_tree_page(std::string_view json);

}  // namespace hfpour::hub
