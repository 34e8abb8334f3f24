// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sink {

/// `<name>text</name>`, the text escaped.
std::string element(std::string_view name, std::string_view text);

/// The texts of all elements `name`, without attributes, wherever they stand; unescaped. No parser: enough for the two
/// bodies that S3 clients send (parts to complete, keys to delete).
std::vector<std::string> texts_of(std::string_view xml, std::string_view name);

/// Percent-encodes all but unreserved characters and `/`, as `encoding-type=url` asks for.
std::string url_encode(std::string_view text);

}  // namespace sink
