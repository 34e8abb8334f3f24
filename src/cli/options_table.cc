// SPDX-License-Identifier: MIT
#include "cli/options_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::cli {
namespace {

Result<void> set_text(std::string& field, const Given& given) {
  field = given.text;
  return {};
}

/// An address; the `/` at its end is dropped. `http://` keeps its own: whoever reads it then says what it lacks.
Result<void> set_address(std::string& field, const Given& given) {
  std::string_view text = given.text;
  while (text.ends_with('/') && !text.ends_with("://")) text.remove_suffix(1);
  if (text.find(' ') != std::string_view::npos)
    return bad_value(Given{given.name, redact(given.text)}, "an address holds no blanks");
  field = text;
  return {};
}

/// A flag that stands alone is true. Twins are ours and strict; the variables of others follow the
/// Hub's rule, by which every other word is false.
Result<void> set_switch(bool& field, const Given& given) {
  const std::string word = to_lower(trim(given.text));
  field = is_true(word);
  const bool no = word == "0" || word == "off" || word == "no" || word == "false";
  if (!field && !no && given.name.starts_with("HFPOUR_"))
    return bad_value(given, "write 1 or 0, yes or no, true or false");
  return {};
}

Result<void> set_size(Bytes& field, const Given& given, Bytes least, Bytes most) {
  const auto bytes = parse_bytes(given.text);
  if (!bytes) return bytes.error().at(given.name);
  if (*bytes < least || *bytes > most) {
    return bad_value(given,
                     fmt::format("{} is outside {} to {}", format_bytes(*bytes), size_text(least), size_text(most)));
  }
  field = *bytes;
  return {};
}

Result<void> set_lanes(Options& options, const Given& given) {
  if (to_lower(given.text) == "auto") {
    options.lanes = 0;
    return {};
  }
  const auto count = parse_decimal(given.text);
  if (!count || *count == 0 || *count > max_lanes)
    return bad_value(given, fmt::format("write a whole number, 1 to {}, or auto", max_lanes));
  options.lanes = *count;
  return {};
}

Result<void> set_memory(Options& options, const Given& given) {
  if (to_lower(given.text) != "auto") return set_size(options.memory, given, min_memory, max_memory);
  options.memory = 0;
  return {};
}

template <class E, std::size_t n>
using Words = std::array<std::pair<std::string_view, E>, n>;

constexpr Words<UploadCheck, 2> upload_checks = {{{"md5", UploadCheck::md5}, {"none", UploadCheck::none}}};
constexpr Words<LogFormat, 2> log_formats = {{{"text", LogFormat::text}, {"json", LogFormat::json}}};
constexpr Words<Addressing, 3> addressings = {
    {{"auto", Addressing::automatic}, {"path", Addressing::path}, {"virtual", Addressing::virtual_host}}};
constexpr std::array<std::string_view, 5> log_levels = {"error", "warn", "info", "debug", "trace"};

template <class E, std::size_t n>
Result<void> set_word(E& field, const Given& given, const Words<E, n>& words) {
  std::string known;
  for (const auto& [word, value] : words) {
    if (word == to_lower(given.text)) {
      field = value;
      return {};
    }
    known += known.empty() ? "" : word == words.back().first ? " or " : ", ";
    known += word;
  }
  return bad_value(given, "write " + known);
}

template <class E, std::size_t n>
std::string word_of(E value, const Words<E, n>& words) {
  const auto at = std::find_if(words.begin(), words.end(), [value](const auto& word) { return word.second == value; });
  return at == words.end() ? "" : std::string(at->first);
}

Result<void> set_log_level(Options& options, const Given& given) {
  const std::string word = to_lower(given.text);
  if (std::find(log_levels.begin(), log_levels.end(), word) == log_levels.end()) {
    return bad_value(given, "write error, warn, info, debug or trace");
  }
  options.log_level = word;
  return {};
}

/// Adds comma-separated patterns; a flag may be repeated.
Result<void> add_patterns(std::optional<std::vector<std::string>>& field, const Given& given) {
  std::vector<std::string> patterns = split_list(given.text, ',');
  if (patterns.empty() && !trim(given.text).empty()) return bad_value(given, "no pattern between the commas");
  if (!field) field.emplace();
  field->insert(field->end(), patterns.begin(), patterns.end());
  return {};
}

Result<void> add_include(Options& options, const Given& given) {
  if (trim(given.text).empty()) return bad_value(given, "write at least one pattern");
  return add_patterns(options.include, given);
}

Result<void> set_ca_bundle(CaBundle& field, const Given& given) {
  field = CaBundle{std::string(given.text), std::string(given.name)};
  return {};
}

using Seconds = std::chrono::seconds;
constexpr Seconds endless = Seconds::max();

Result<void> set_duration(Seconds& field, const Given& given, Seconds least, Seconds most, std::string_view rule) {
  const std::optional<Seconds> time = parse_duration(given.text);
  if (!time || *time < least || *time > most) return bad_value(given, rule);
  field = *time;
  return {};
}

Result<void> set_retry_for(Options& options, const Given& given) {
  return set_duration(options.retry_for, given, Seconds(0), std::chrono::hours(24),
                      "write a whole number and s, m or h, such as 5m, up to 24h");
}

Result<void> set_deadline(Options& options, const Given& given) {
  return set_duration(options.deadline, given, Seconds(1), endless,
                      "write a whole number and s, m, h or d, such as 2h");
}

Result<void> set_lease_wait(Options& options, const Given& given) {
  return set_duration(options.lease_wait, given, Seconds(0), endless,
                      "write a whole number and s, m, h or d, such as 6h; 0s waits for nobody");
}

Result<void> set_gc_after(Options& options, const Given& given) {
  return set_duration(options.gc_after, given, Seconds(0), endless,
                      "write a whole number and s, m, h or d, such as 24h");
}

std::string shown_memory(const Options& options) {
  return options.memory != 0 ? size_text(options.memory)
                             : size_text(default_memory) + ", or half the cgroup limit if less";
}

using O = Options;
using G = Given;

constexpr std::array<Setting, 28> table = {{
    {"endpoint-url", "URL", "the S3 endpoint (required)", "S3_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL",
     [](O& o, const G& g) { return set_address(o.endpoint_url, g); }, nothing},
    {"region", "NAME", "the store's region", "AWS_REGION AWS_DEFAULT_REGION",
     [](O& o, const G& g) { return set_text(o.region, g); },
     [](const O& o) { return o.region.empty() ? std::string("learned from the store") : o.region; }},
    {"addressing", "HOW", "bucket in the path or in the host: auto, path, virtual", "",
     [](O& o, const G& g) { return set_word(o.addressing, g, addressings); },
     [](const O& o) { return word_of(o.addressing, addressings); }},
    {"profile", "NAME", "of the shared AWS files; beats keys in the environment", "",
     [](O& o, const G& g) { return set_text(o.profile, g); }, nothing},
    {"ca-bundle", "FILE", "certificates to trust, PEM", "AWS_CA_BUNDLE SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE",
     [](O& o, const G& g) { return set_ca_bundle(o.ca_bundle, g); },
     [](const O& o) { return o.ca_bundle.path.empty() ? std::string("the system's") : o.ca_bundle.path; }},
    {"hub-ca-bundle", "FILE", "the same for the Hub's side alone", "",
     [](O& o, const G& g) { return set_ca_bundle(o.hub_ca_bundle, g); }, nothing},
    {"store-ca-bundle", "FILE", "the same for the store and STS alone", "",
     [](O& o, const G& g) { return set_ca_bundle(o.store_ca_bundle, g); }, nothing},
    {"hub-endpoint", "URL", "the Hub or a mirror of it", "HF_ENDPOINT",
     [](O& o, const G& g) { return set_address(o.hub_endpoint, g); }, [](const O& o) { return o.hub_endpoint; }},
    {"revision", "REV", "branch, tag or commit", "MODEL_REVISION",
     [](O& o, const G& g) { return set_text(o.revision, g); },
     [](const O& o) { return o.revision.empty() ? std::string("main") : o.revision; }},
    {"include", "PATTERNS", "only these files: '*.json,*.safetensors'; repeatable", "ALLOW_PATTERNS", add_include,
     nothing},
    {"exclude", "PATTERNS", "not these files; repeatable", "IGNORE_PATTERNS",
     [](O& o, const G& g) { return add_patterns(o.exclude, g); }, nothing, true},
    {"preset", "NAME", "a ready-made selection: vllm", "", [](O& o, const G& g) { return set_text(o.preset, g); },
     [](const O& o) { return o.preset.empty() ? std::string("the whole repository") : o.preset; }},
    {"memory", "SIZE", "ceiling of all memory", "", set_memory, shown_memory},
    {"lanes", "N", "streams side by side", "HF_MAX_WORKERS", set_lanes,
     [](const O& o) { return o.lanes == 0 ? std::string("auto") : std::to_string(o.lanes); }},
    {"part-size", "SIZE", "of an S3 part", "",
     [](O& o, const G& g) { return set_size(o.part_size, g, min_part_size, max_part_size); },
     [](const O& o) { return size_text(o.part_size); }},
    {"upload-check", "HOW", "compare a part's ETag with its MD5: md5, none", "",
     [](O& o, const G& g) { return set_word(o.upload_check, g, upload_checks); },
     [](const O& o) { return word_of(o.upload_check, upload_checks); }},
    {"retry-for", "TIME", "how long to try again without progress", "", set_retry_for,
     [](const O& o) { return std::to_string(o.retry_for.count() / 60) + "m"; }},
    {"deadline", "TIME", "end after that with what is done kept, status 10: 90m, 12h", "", set_deadline, nothing},
    {"lease-wait", "TIME", "take turns with other runs into this place, and wait so long for one", "", set_lease_wait,
     nothing},
    {"gc-after", "AGE", "drop open uploads of this place that no run claims and that are older", "", set_gc_after,
     [](const O& o) { return std::to_string(o.gc_after.count() / 3600) + "h"; }},
    {"refresh", "", "ask the Hub even when the model is there", "",
     [](O& o, const G& g) { return set_switch(o.refresh, g); }, nothing},
    {"dry-run", "", "show what would be done, change nothing", "",
     [](O& o, const G& g) { return set_switch(o.dry_run, g); }, nothing},
    {"json", "", "the result on stdout as JSON", "", [](O& o, const G& g) { return set_switch(o.json, g); }, nothing},
    {"report", "FILE", "each file and the run as JSON; - is stdout, instead of the URI", "",
     [](O& o, const G& g) { return set_text(o.report, g); }, nothing},
    {"quiet", "", "only warnings and errors", "", [](O& o, const G& g) { return set_switch(o.quiet, g); }, nothing},
    {"no-progress", "", "no live bar, no periodic line", "DISABLE_PROGRESS HF_HUB_DISABLE_PROGRESS_BARS",
     [](O& o, const G& g) {
       bool off = false;
       auto result = set_switch(off, g);
       o.progress = !off;
       return result;
     },
     nothing},
    {"log-format", "HOW", "text, json", "", [](O& o, const G& g) { return set_word(o.log_format, g, log_formats); },
     [](const O& o) { return word_of(o.log_format, log_formats); }},
    {"log-level", "LEVEL", "error, warn, info, debug, trace", "", set_log_level,
     [](const O& o) { return o.log_level; }},
}};

}  // namespace

std::span<const Setting> settings() {
  return table;
}

std::string twin(std::string_view flag) {
  std::string name = "HFPOUR_";
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Result<void> check_text(const Given& given) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const std::string shown =
      given.text.find("://") == std::string_view::npos ? std::string(given.text) : redact(given.text);
  const Given safe{given.name, shown};
  if (std::any_of(given.text.begin(), given.text.end(), control))
    return bad_value(safe, "control characters are not allowed");
  if (!is_utf8(given.text)) return Error(Kind::usage, fmt::format("{} is not UTF-8", given.name));
  return {};
}

Error bad_value(const Given& given, std::string_view rule) {
  return Error(Kind::usage, fmt::format("{} '{}': {}", given.name, printable(given.text, 100), rule));
}

std::string nothing(const Options&) {
  return "";
}

std::string size_text(Bytes bytes) {
  if (bytes != 0 && bytes % GiB == 0) return fmt::format("{}Gi", bytes / GiB);
  if (bytes != 0 && bytes % MiB == 0) return fmt::format("{}Mi", bytes / MiB);
  if (bytes != 0 && bytes % KiB == 0) return fmt::format("{}Ki", bytes / KiB);
  return std::to_string(bytes);
}

}  // namespace hfpour::cli
