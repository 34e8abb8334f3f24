// SPDX-License-Identifier: MIT
#include "cli/report.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::cli {

Result<Report> Report::open(const std::string& name) {
  std::FILE* const file = name == "-" ? stdout : std::fopen(name.c_str(), "we");
  if (file != nullptr) return Report(file, name);
  return Error(Kind::usage,
               fmt::format("the report '{}' cannot be written: {}", printable(name, 200), std::strerror(errno)));
}

void Report::add(const FileFacts& file) {
  put(fmt::format(R"({{"path":{},"status":"{}","bytes":{},"seconds":{:.3f},"rate":{:.0f},"retries":{},"parts":{},)"
                  R"("hash":"{}:{}","etag":{}}})",
                  json_quote(file.path), file.adopted ? "kept" : "stored", file.size,
                  static_cast<double>(file.took.count()) / 1000.0, rate_of(file.size, file.took), file.retries,
                  file.parts, to_string(file.hash.kind), to_hex(file.hash), json_quote(file.etag)));
}

void Report::add(std::string_view path, const Error& error) {
  put(fmt::format(R"({{"path":{},"status":"failed","kind":{},"error":{}}})", json_quote(path),
                  json_quote(hfpour::to_string(error.kind)), json_quote(shown_text(error.describe()))));
}

void Report::put(const std::string& entry) {
  const std::string text = (any_ ? ",\n" : "{\"files\":[\n") + entry;
  any_ = true;
  std::fwrite(text.data(), 1, text.size(), file_.get());
}

Result<void> Report::finish(const Outcome& outcome) {
  const std::string text = (any_ ? "\n" : std::string("{\"files\":[")) + "],\n\"run\":" + result_json(outcome) + "}\n";
  std::fwrite(text.data(), 1, text.size(), file_.get());
  if (std::fflush(file_.get()) == 0 && std::ferror(file_.get()) == 0) return {};
  return Error(Kind::internal, fmt::format("the report '{}' could not be written whole", printable(name_, 200)));
}

}  // namespace hfpour::cli
