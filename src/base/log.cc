// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <fmt/core.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>

#include "base/text.h"

namespace hfpour {
namespace {

/// `%J` in a pattern: the message as a JSON string.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& msg, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string quoted = json_quote(std::string_view(msg.payload.data(), msg.payload.size()));
    out.append(quoted.data(), quoted.data() + quoted.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

}  // namespace

std::unique_ptr<spdlog::logger> make_logger(LogFormat format, std::string_view level) {
  auto logger = std::make_unique<spdlog::logger>("hfpour", std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger->set_level(spdlog::level::from_str(std::string(level)));
  logger->flush_on(spdlog::level::info);
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (format == LogFormat::json) {
    formatter->add_flag<JsonMessage>('J').set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%J})");
  } else if (logger->level() <= spdlog::level::debug) {
    formatter->set_pattern("%H:%M:%S.%e %l: %v");
  } else {
    formatter->set_pattern("hfpour: %v");
  }
  logger->set_formatter(std::move(formatter));
  return logger;
}

std::string redact(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url.substr(0, url.find_first_of("?#")));
  const std::size_t begin = scheme + 3;
  std::string_view authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  // What stands where a port would and is none is the beginning of a password with one of these characters in it.
  const std::size_t colon = authority.rfind(':');
  const bool no_port = colon != std::string_view::npos && authority.back() != ']' &&
                       authority.find('@') == std::string_view::npos &&
                       authority.find_first_not_of("0123456789", colon + 1) != std::string_view::npos;
  if (no_port) authority = url.substr(begin);
  const std::size_t at = authority.rfind('@');
  const std::string_view rest = url.substr(at == std::string_view::npos ? begin : begin + at + 1);
  return std::string(url.substr(0, begin)) + std::string(rest.substr(0, rest.find_first_of("?#")));
}

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = letter_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\\ufffd";  // JSON has no place for bytes that are not text
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out + "\"";
}

}  // namespace hfpour
