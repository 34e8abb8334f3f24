// SPDX-License-Identifier: MIT
#include "sink/xml.h"

#include <fmt/core.h>

#include <array>
#include <utility>

namespace sink {
namespace {

constexpr std::array<std::pair<char, std::string_view>, 5> entities = {
    {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}}};

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    std::string_view written(&letter, 1);
    for (const auto& [plain, entity] : entities) {
      if (plain == letter) written = entity;
    }
    escaped += written;
  }
  return escaped;
}

std::string unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    std::size_t taken = 1;
    char letter = text[0];
    for (const auto& [meant, entity] : entities) {
      if (!text.starts_with(entity)) continue;
      letter = meant;
      taken = entity.size();
    }
    plain += letter;
    text.remove_prefix(taken);
  }
  return plain;
}

}  // namespace

std::string element(std::string_view name, std::string_view text) {
  return fmt::format("<{}>{}</{}>", name, escape(text), name);
}

std::vector<std::string> texts_of(std::string_view xml, std::string_view name) {
  const std::string open = fmt::format("<{}>", name);
  const std::string close = fmt::format("</{}>", name);
  std::vector<std::string> texts;
  for (std::size_t at = xml.find(open); at != std::string_view::npos; at = xml.find(open, at)) {
    at += open.size();
    const std::size_t end = xml.find(close, at);
    if (end == std::string_view::npos) break;
    texts.push_back(unescape(xml.substr(at, end - at)));
  }
  return texts;
}

std::string url_encode(std::string_view text) {
  std::string encoded;
  for (const char letter : text) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') ||
                       std::string_view("-._~/").find(letter) != std::string_view::npos;
    encoded += plain ? std::string(1, letter) : fmt::format("%{:02X}", static_cast<unsigned char>(letter));
  }
  return encoded;
}

}  // namespace sink
