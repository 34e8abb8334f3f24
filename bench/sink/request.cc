// SPDX-License-Identifier: MIT
#include "sink/request.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace sink {
namespace {

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      plain += text[i];
      continue;
    }
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
  return small;
}

/// The text up to `mark`, which is taken off `rest` with it.
std::string_view cut(std::string_view& rest, std::string_view mark) {
  const std::size_t end = rest.find(mark);
  const std::string_view first = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + mark.size());
  return first;
}

void read_target(std::string_view target, Request& request) {
  std::string_view path = cut(target, "?");
  if (path.starts_with('/')) path.remove_prefix(1);
  request.bucket = percent_decode(cut(path, "/"));
  request.key = percent_decode(path);
  while (!target.empty()) {
    std::string_view value = cut(target, "&");
    const std::string_view name = cut(value, "=");
    request.query[percent_decode(name)] = percent_decode(value);
  }
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 412: return "Precondition Failed";
    case 501: return "Not Implemented";
    default: return "Status";
  }
}

/// The time as HTTP writes it, made anew each second.
const std::string& date() {
  static std::time_t last = 0;
  static std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != last) {
    char buffer[64];
    std::tm parts{};
    gmtime_r(&now, &parts);
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    last = now;
  }
  return text;
}

}  // namespace

std::string Request::parameter(const std::string& name, std::string_view otherwise) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string(otherwise) : found->second;
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<Request> parse_request(std::string_view head) {
  Request request;
  std::string_view line = cut(head, "\r\n");
  request.method = cut(line, " ");
  const std::string_view target = cut(line, " ");
  if (!line.starts_with("HTTP/1.") || !target.starts_with('/')) return std::nullopt;
  request.keep_alive = line != "HTTP/1.0";
  read_target(target, request);
  while (!head.empty()) {
    std::string_view value = cut(head, "\r\n");
    const std::string_view name = cut(value, ":");
    request.headers[lower(name)] = trim(value);
  }
  const std::string length = request.header("content-length");
  const char* const end = length.data() + length.size();
  if (!length.empty() && std::from_chars(length.data(), end, request.length).ptr != end) return std::nullopt;
  if (lower(request.header("connection")) == "close") request.keep_alive = false;
  return request;
}

std::string serialise(const Answer& answer, bool head_only, bool keep_alive) {
  const std::uint64_t length =
      head_only ? std::max<std::uint64_t>(answer.head_length, answer.body.size()) : answer.body.size();
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nServer: hfpour-sink\r\nx-amz-request-id: sink\r\n{}",
                                 answer.status, reason(answer.status), date(), answer.headers);
  if (answer.status != 204) text += fmt::format("Content-Length: {}\r\n", length);
  if (!keep_alive) text += "Connection: close\r\n";
  text += "\r\n";
  if (!head_only) text += answer.body;
  return text;
}

Answer error_answer(int status, std::string_view code, std::string_view message) {
  Answer answer;
  answer.status = status;
  answer.headers = "Content-Type: application/xml\r\n";
  answer.body = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>", code, message);
  return answer;
}

}  // namespace sink
