// SPDX-License-Identifier: MIT
#include "harness.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"

namespace hfpour::fuzz {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

std::string_view take_line(std::string_view& input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

std::vector<std::string> lines_of(std::string_view input) {
  std::vector<std::string> lines;
  while (!input.empty()) lines.emplace_back(take_line(input));
  return lines;
}

void require_fit_for_a_log(const Error& error) {
  for (const std::string& text : {error.sentence, error.code, error.request_id}) {
    require(is_utf8(text), "an error is UTF-8");
    require(printable(text, text.size() + 1) == text, "an error has no control characters");
  }
}

void require_kept_secret(const Error& error, std::string_view input) {
  require_fit_for_a_log(error);
  const bool elsewhere = input.find(hidden) != std::string_view::npos;
  require(elsewhere || error.sentence.find(hidden) == std::string::npos, "an error shows no secret");
}

}  // namespace hfpour::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hfpour::fuzz::take(hfpour::as_text(std::as_bytes(std::span(data, size))));
  return 0;
}
