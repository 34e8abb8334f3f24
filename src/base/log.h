// SPDX-License-Identifier: MIT
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <string_view>

namespace hfpour {

enum class LogFormat { text, json };

/// Makes the program's one logger: whole lines on stderr, `error` flushed at once. Owned by `main`, lent by reference.
///
/// `level` is one of `error warn info debug trace`. Text lines carry time and level only when `level` is `debug` or
/// finer; JSON lines always have `time`, `level` and `message`.
std::unique_ptr<spdlog::logger> make_logger(LogFormat format, std::string_view level);

/// The address without query, fragment and user info: signed queries are credentials and never reach a log.
std::string redact(std::string_view url);

/// `text` as a JSON string, with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace hfpour
