// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace hfpour::cli {

/// The text of `--help`: one screen of at most 100 columns, examples first, defaults as `Options{}`
/// has them.
std::string help_text();

}  // namespace hfpour::cli
