// SPDX-License-Identifier: MIT
#include "cli/help.h"

#include <fmt/core.h>

#include <string_view>

#include "cli/options_table.h"

namespace hfpour::cli {
namespace {

constexpr std::string_view head =
    R"(hfpour pours a Hugging Face repository into an S3 bucket: verified, and with nothing on disk.

  hfpour hf://openai-community/gpt2 s3://bucket/models/
  hfpour hf://datasets/owner/name@v1.0 s3://bucket/data/ --include '*.parquet' --memory 512Mi
  MODEL_NAME=owner/name S3_BUCKET=bucket hfpour         everything from the environment
  hfpour cat|tar|put|gc ...                   pipelines, clearing up: see hfpour cat --help

)";

constexpr std::string_view tail = R"(
Environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, HF_TOKEN: never flags;
  MODEL_NAME, S3_BUCKET, S3_PREFIX ({prefix}): source and destination when there are no arguments;
  HFPOUR_<FLAG> for each flag, S3_ENDPOINT_URL, AWS_REGION, HF_ENDPOINT, MODEL_REVISION and others.
Exit: 0 done or already there, 1 bug, 2 usage, 3 not found, 4 nothing selected, 5 temporary,
  6 permission or gated, 7 content differs from the Hub's hash, 8 quota or limit, 10 deadline,
  11 lease wait over, 130 and 143 interrupted, 141 the reader of stdout left.
)";

std::string flag_line(std::string_view flag, std::string_view summary) {
  return fmt::format("  {:<22} {}\n", flag, summary);
}

}  // namespace

std::string help_text() {
  const Options standard;
  std::string text(head);
  for (const Setting& setting : settings()) {
    const std::string_view dashes = setting.flag == "quiet" ? "-q, --" : "--";
    const std::string flag =
        fmt::format("{}{}{}{}", dashes, setting.flag, setting.is_switch() ? "" : " ", setting.placeholder);
    const std::string value = setting.shown(standard);
    text +=
        flag_line(flag, value.empty() ? std::string(setting.summary) : fmt::format("{} [{}]", setting.summary, value));
  }
  text += flag_line("-h, --help; -V, --version", "this text; name and version");
  std::string end(tail);
  constexpr std::string_view hole = "{prefix}";
  end.replace(end.find(hole), hole.size(), standard.prefix);
  return text + end;
}

}  // namespace hfpour::cli
