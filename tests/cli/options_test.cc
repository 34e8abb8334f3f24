// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/options_table.h"
#include "support/has.h"

using namespace hfpour;
using namespace hfpour::cli;
using hfpour::testing::has;

namespace {

using Words = std::vector<std::string>;
using Values = Environment::Values;

const Words both = {"hf://owner/name", "s3://bucket/models/"};

Values keys() {
  return {{"S3_ENDPOINT_URL", "https://objectstore.lon1.civo.com"},
          {"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
          {"AWS_SECRET_ACCESS_KEY", "do-not-print-me-secret"}};
}

Values init_container() {
  Values values = keys();
  values["MODEL_NAME"] = "owner/name";
  values["S3_BUCKET"] = "bucket";
  return values;
}

Values with(Values values, const Values& more) {
  for (const auto& [name, value] : more) values[name] = value;
  return values;
}

Result<Options> read(const Words& words, const Values& values) {
  std::vector<const char*> argv = {"hfpour"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return read_options(argv, Environment(values));
}

Options accepted(const Words& words, const Values& values) {
  auto options = read(words, values);
  REQUIRE_MESSAGE(options.has_value(), (options ? "" : options.error().sentence));
  return *options;
}

std::string refused(const Words& words, const Values& values) {
  const auto options = read(words, values);
  REQUIRE_FALSE(options.has_value());
  CHECK(options.error().kind == Kind::usage);
  const std::string sentence = options.error().sentence;
  for (const char c : sentence) CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(sentence.find("do-not-print-me") == std::string::npos);
  CHECK_FALSE(sentence.ends_with("."));
  return sentence;
}

}  // namespace

TEST_CASE("options: the predecessor's environment alone is a whole command") {
  const Options o = accepted({}, init_container());
  CHECK(o.action == Action::run);
  CHECK(o.source == "owner/name");
  CHECK(o.destination.empty());
  CHECK(o.bucket == "bucket");
  CHECK(o.prefix == "models/");
  CHECK(o.endpoint_url == "https://objectstore.lon1.civo.com");
  CHECK(o.credentials.access_key_id == "AKIDEXAMPLE");
  CHECK(o.credentials.secret.reveal() == "do-not-print-me-secret");
  CHECK(o.credentials.session_token.empty());
  CHECK(o.hub_endpoint == "https://huggingface.co");
  CHECK(o.hf_token.empty());
  CHECK(o.memory == 0);
  CHECK(o.lanes == 0);
  CHECK(o.part_size == 8 * MiB);
  CHECK(o.upload_check == UploadCheck::md5);
  CHECK(o.progress);
  CHECK_FALSE(o.include);
  CHECK_FALSE(o.exclude);
  CHECK(o.warnings.empty());
}

TEST_CASE("options: arguments win over the environment") {
  const Values values = with(init_container(), {{"S3_PREFIX", "other/"}, {"MODEL_REVISION", "v9"}});
  const Options o = accepted({"hf://datasets/o/n@v1", "s3://b/p/"}, values);
  CHECK(o.source == "hf://datasets/o/n@v1");
  CHECK(o.destination == "s3://b/p/");
  CHECK(o.bucket.empty());
  CHECK(o.revision.empty());
  CHECK(accepted(both, values).revision == "v9");
}

TEST_CASE("options: a flag wins over its variables, and those stand in a fixed order") {
  const Values all = {{"HFPOUR_ENDPOINT_URL", "http://twin"},
                      {"S3_ENDPOINT_URL", "http://s3"},
                      {"AWS_ENDPOINT_URL_S3", "http://aws-s3"},
                      {"AWS_ENDPOINT_URL", "http://aws"}};
  Values values = with(init_container(), all);
  CHECK(accepted({"--endpoint-url", "http://flag"}, values).endpoint_url == "http://flag");
  CHECK(accepted({"--endpoint-url=http://flag/"}, values).endpoint_url == "http://flag");
  for (const std::string name : {"HFPOUR_ENDPOINT_URL", "S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}) {
    CAPTURE(name);
    CHECK(accepted({}, values).endpoint_url == values.at(name));
    values[name] = "";  // an empty variable is as good as none
  }
}

TEST_CASE("options: each setting is read from its flag, its twin and its other names") {
  struct Case {
    std::string name;  // of a flag, or of a variable
    std::string value;
    bool (*holds)(const Options&);
  };
  const std::vector<Case> cases = {
      {"--region", "LON1", [](const Options& o) { return o.region == "LON1"; }},
      {"AWS_REGION", "LON1", [](const Options& o) { return o.region == "LON1"; }},
      {"AWS_DEFAULT_REGION", "fra1", [](const Options& o) { return o.region == "fra1"; }},
      {"HFPOUR_REGION", "nyc1", [](const Options& o) { return o.region == "nyc1"; }},
      {"--addressing", "virtual", [](const Options& o) { return o.addressing == Addressing::virtual_host; }},
      {"--addressing", "PATH", [](const Options& o) { return o.addressing == Addressing::path; }},
      {"--revision", "refs/pr/1", [](const Options& o) { return o.revision == "refs/pr/1"; }},
      {"MODEL_REVISION", "v1.0", [](const Options& o) { return o.revision == "v1.0"; }},
      {"HF_ENDPOINT", "https://hub.local/base//",
       [](const Options& o) { return o.hub_endpoint == "https://hub.local/base"; }},
      {"--hub-endpoint", "http://[::1]:8080", [](const Options& o) { return o.hub_endpoint == "http://[::1]:8080"; }},
      {"--memory", "64Mi", [](const Options& o) { return o.memory == 64 * MiB; }},
      {"--memory", "1.5Gi", [](const Options& o) { return o.memory == 1536 * MiB; }},
      {"--memory", "auto", [](const Options& o) { return o.memory == 0; }},
      {"--memory", "32Mi", [](const Options& o) { return o.memory == min_memory; }},
      {"HFPOUR_MEMORY", "128Mi", [](const Options& o) { return o.memory == 128 * MiB; }},
      {"--lanes", "32", [](const Options& o) { return o.lanes == 32; }},
      {"HF_MAX_WORKERS", "8", [](const Options& o) { return o.lanes == 8; }},
      {"HFPOUR_LANES", "64", [](const Options& o) { return o.lanes == max_lanes; }},
      {"--part-size", "5Mi", [](const Options& o) { return o.part_size == min_part_size; }},
      {"HFPOUR_PART_SIZE", "5Gi", [](const Options& o) { return o.part_size == max_part_size; }},
      {"--upload-check", "none", [](const Options& o) { return o.upload_check == UploadCheck::none; }},
      {"--preset", "vllm", [](const Options& o) { return o.preset == "vllm"; }},
      {"--log-format", "json", [](const Options& o) { return o.log_format == LogFormat::json; }},
      {"--log-level", "Debug", [](const Options& o) { return o.log_level == "debug"; }},
      {"HFPOUR_JSON", "1", [](const Options& o) { return o.json; }},
      {"HFPOUR_JSON", "No", [](const Options& o) { return !o.json; }},
      {"HFPOUR_DRY_RUN", "yes", [](const Options& o) { return o.dry_run; }},
      {"HFPOUR_REFRESH", "ON", [](const Options& o) { return o.refresh; }},
      {"DISABLE_PROGRESS", "True", [](const Options& o) { return !o.progress; }},
      {"DISABLE_PROGRESS", "false", [](const Options& o) { return o.progress; }},
      {"HF_HUB_DISABLE_PROGRESS_BARS", "1", [](const Options& o) { return !o.progress; }},
      {"HFPOUR_NO_PROGRESS", "0", [](const Options& o) { return o.progress; }},
      {"AWS_SESSION_TOKEN", "session",
       [](const Options& o) { return o.credentials.session_token.reveal() == "session"; }},
      {"AWS_ACCESS_KEY_ID", "AKID\n", [](const Options& o) { return o.credentials.access_key_id == "AKID"; }},
      {"S3_PREFIX", "", [](const Options& o) { return o.prefix.empty(); }},
      {"S3_PREFIX", "production/models/", [](const Options& o) { return o.prefix == "production/models/"; }},
      {"AWS_REGION", "", [](const Options& o) { return o.region.empty(); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CAPTURE(c.value);
    const bool flag = c.name.starts_with("--");
    CHECK(c.holds(flag ? accepted({c.name, c.value}, init_container())
                       : accepted({}, with(init_container(), {{c.name, c.value}}))));
    if (flag) CHECK(c.holds(accepted({c.name + "=" + c.value}, init_container())));
    if (flag) CHECK(c.holds(accepted({}, with(init_container(), {{twin(c.name.substr(2)), c.value}}))));
  }
}

TEST_CASE("options: switches") {
  const Options o = accepted({"-q", "--json", "--dry-run", "--refresh", "--no-progress"}, init_container());
  CHECK(o.quiet);
  CHECK(o.json);
  CHECK(o.dry_run);
  CHECK(o.refresh);
  CHECK_FALSE(o.progress);
}

TEST_CASE("options: flags may stand before, between and after the arguments, and the last one counts") {
  const Options o = accepted({"--lanes", "2", both[0], "--json", both[1], "--lanes", "4"}, keys());
  CHECK(o.source == both[0]);
  CHECK(o.destination == both[1]);
  CHECK(o.lanes == 4);
}

TEST_CASE("options: patterns") {
  using List = std::vector<std::string>;
  CHECK(*accepted({"--include", "*.json, *.safetensors", "--include", "[ab]"}, init_container()).include ==
        List{"*.json", "*.safetensors", "[ab]"});
  CHECK(*accepted({"--exclude", "*.bin"}, init_container()).exclude == List{"*.bin"});
  CHECK(*accepted({"--include", "[abc]"}, init_container()).include == List{"[abc]"});
  const Options allow =
      accepted({}, with(init_container(), {{"ALLOW_PATTERNS", "a/,b*"}, {"IGNORE_PATTERNS", "*.md"}}));
  CHECK(*allow.include == List{"a/", "b*"});
  CHECK_FALSE(allow.exclude);
  CHECK(allow.warnings.size() == 1);
  const Options ignore = accepted({}, with(init_container(), {{"IGNORE_PATTERNS", "*.md , *.h5"}}));
  CHECK(*ignore.exclude == List{"*.md", "*.h5"});
  const Options off = accepted({}, with(init_container(), {{"IGNORE_PATTERNS", ""}}));
  REQUIRE(off.exclude);
  CHECK(off.exclude->empty());
  REQUIRE(accepted({"--exclude", ""}, init_container()).exclude);
  CHECK_FALSE(accepted({}, with(init_container(), {{"ALLOW_PATTERNS", ""}})).include);
  const Options flag =
      accepted({"--exclude", "x"}, with(init_container(), {{"ALLOW_PATTERNS", "a"}, {"IGNORE_PATTERNS", "b"}}));
  CHECK(*flag.include == List{"a"});
  CHECK(*flag.exclude == List{"x"});
}

TEST_CASE("options: help and version win over everything else") {
  CHECK(accepted({"--help"}, {}).action == Action::help);
  CHECK(accepted({"-h", "--nonsense", "--memory", "1"}, {}).action == Action::help);
  CHECK(accepted({"--version"}, {{"HF_HUB_OFFLINE", "1"}}).action == Action::version);
  CHECK(accepted({"-V", "--help"}, {}).action == Action::help);
}

TEST_CASE("options: bad words on the command line are named, with the rule") {
  struct Case {
    Words words;
    std::vector<std::string> names;
  };
  const std::vector<Case> cases = {
      {{"--memroy", "64Mi"}, {"--memroy", "--memory"}},
      {{"--endpoint", "http://x"}, {"--endpoint-url"}},
      {{"--allow-patterns", "*"}, {"--include"}},
      {{"--max-workers=8"}, {"--lanes"}},
      {{"--dryrun"}, {"--dry-run"}},
      {{"-memory", "64Mi"}, {"-memory", "--memory"}},
      {{"--xyzzyplugh"}, {"--xyzzyplugh", "--help"}},
      {{"-x"}, {"-x"}},
      {{"--hf-token=do-not-print-me"}, {"--hf-token", "HF_TOKEN"}},
      {{"--token", "do-not-print-me"}, {"--token", "environment"}},
      {{"--secret-access-key", "do-not-print-me"}, {"AWS_SECRET_ACCESS_KEY"}},
      {{"--bucket", "b"}, {"s3://bucket/prefix/"}},
      {{"--region"}, {"--region NAME"}},
      {{"--region", ""}, {"--region needs a value"}},
      {{"--region="}, {"--region needs a value"}},
      {{"--region=", "x"}, {"--region needs a value"}},
      {{"--region", "--json"}, {"--region needs a value"}},
      {{"--json=true"}, {"--json takes no value"}},
      {{"--include", ""}, {"--include"}},
      {{"--include", " , "}, {"--include"}},
      {{"--exclude="}, {"--exclude ''"}},
      {{"--memory", "64MiBs"}, {"--memory", "64MiBs"}},
      {{"--memory", "lots"}, {"--memory", "lots"}},
      {{"--memory", "64"}, {"--memory", "64 B", "32Mi"}},
      {{"--memory", "31Mi"}, {"31.0 MiB", "32Mi"}},
      {{"--memory", "0"}, {"32Mi"}},
      {{"--memory", "-64Mi"}, {"--memory"}},
      {{"--memory", "99Ti"}, {"1024Gi"}},
      {{"--part-size", "4Mi"}, {"--part-size", "5Mi", "5Gi"}},
      {{"--part-size", "6Gi"}, {"--part-size", "5Gi"}},
      {{"--part-size", "5M"}, {"5Mi"}},
      {{"--lanes", "65"}, {"--lanes", "65", "64"}},
      {{"--lanes", "-1"}, {"--lanes"}},
      {{"--lanes", "2.5"}, {"2.5", "whole number"}},
      {{"--lanes", "99999999999999999999999"}, {"--lanes"}},
      {{"--upload-check", "sha256"}, {"sha256", "md5 or none"}},
      {{"--addressing", "host"}, {"auto, path or virtual"}},
      {{"--log-format", "yaml"}, {"text or json"}},
      {{"--log-level", "loud"}, {"loud", "debug"}},
      {{"--endpoint-url", "http://a b"}, {"--endpoint-url", "blanks"}},
      {{"--region", "a\nb"}, {"--region", "\\x0a", "control"}},
      {{"--revision", "v1\x1b[2J"}, {"--revision", "\\x1b", "control"}},
      {{"--include", "a\x7f"}, {"--include", "control"}},
      {{"--revision", "\xff"}, {"--revision", "UTF-8"}},
      {{"--endpoint-url", "http://do-not-print-me@host/\t"}, {"control"}},
      {{"hf://owner/name"}, {"destination", "s3://bucket/prefix/"}},
      {{"s3://bucket"}, {"source", "hf://owner/name"}},
      {{"s3://bucket/p/", "hf://owner/name"}, {"source comes first"}},
      {{"hf://owner/name", "bucket"}, {"'bucket'", "s3://"}},
      {{"hf://owner/name", "/data/models"}, {"s3://"}},
      {{"hf://o/n", "s3://b", "s3://c"}, {"3 arguments"}},
      {{"hf://o/n", ""}, {"empty"}},
      {{"hf://o/n\r", "s3://b"}, {"control"}},
      {{"hf://o/n@v1", "s3://b", "--revision", "v2"}, {"twice"}},
  };
  for (const Case& c : cases) {
    const std::string sentence = refused(c.words, init_container());
    for (const std::string& name : c.names) CHECK_MESSAGE(has(sentence, name), sentence, " | ", name);
  }
}

TEST_CASE("options: bad words in the environment are named, with the variable") {
  struct Case {
    std::string name;
    std::string value;
    std::string rule;
  };
  const std::vector<Case> cases = {
      {"HFPOUR_MEMORY", "16Mi", "32Mi"},
      {"HFPOUR_JSON", "maybe", "yes or no"},
      {"HF_MAX_WORKERS", "many", "whole number"},
      {"HFPOUR_PART_SIZE", "1Mi", "5Mi"},
      {"ALLOW_PATTERNS", ",,", "pattern"},
      {"MODEL_NAME", "owner/name\n", "\\x0a"},
      {"S3_BUCKET", "buc\tket", "control"},
      {"S3_PREFIX", "models/\n", "control"},
      {"S3_ENDPOINT_URL", "https://host\r", "control"},
      {"MODEL_REVISION", "\x01", "control"},
      {"AWS_CA_BUNDLE", "/etc/ca\n.pem", "control"},
      {"AWS_ACCESS_KEY_ID", "AK ID", "AWS_ACCESS_KEY_ID"},
      {"AWS_SECRET_ACCESS_KEY", "do-not-print-me\x02x", "not shown"},
      {"AWS_SESSION_TOKEN", "do-not-print-me \xc3\xa4", "not shown"},
      {"HF_TOKEN", "hf_do-not-print-me\nHost: x", "not shown"},
      {"HF_HUB_OFFLINE", "1", "unset"},
      {"TRANSFORMERS_OFFLINE", "Yes", "unset"},
  };
  for (const Case& c : cases) {
    const std::string sentence = refused({}, with(init_container(), {{c.name, c.value}}));
    CHECK_MESSAGE(has(sentence, c.name), sentence);
    CHECK_MESSAGE(has(sentence, c.rule), sentence);
  }
  CHECK(accepted({}, with(init_container(), {{"HF_HUB_OFFLINE", "0"}})).action == Action::run);
}

TEST_CASE("options: everything that is missing is named at once") {
  const std::string all = refused({}, {});
  for (const std::string name :
       {"MODEL_NAME", "S3_BUCKET", "S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "hf://"}) {
    CHECK_MESSAGE(has(all, name), all);
  }
  CHECK_FALSE(has(refused({}, {{"AWS_PROFILE", "me"}}), "AWS_ACCESS_KEY_ID"));
  // Keys alone, and the store's address, may be elsewhere: whoever looks there tells.
  CHECK(accepted(both, {}).credentials.access_key_id.empty());
  for (const auto& entry : init_container()) {
    const std::string& name = entry.first;
    if (name == "S3_ENDPOINT_URL") continue;
    Values values = init_container();
    values.erase(name);
    CHECK_MESSAGE(has(refused({}, values), name), name);
    values[name] = "";
    CHECK_MESSAGE(has(refused({}, values), name), name);
  }
}

TEST_CASE("options: variables without effect are warned about once each") {
  const Options o =
      accepted({}, with(init_container(), {{"DOWNLOAD_DIR", "/tmp"}, {"HF_HUB_ENABLE_HF_TRANSFER", "1"}}));
  REQUIRE(o.warnings.size() == 2);
  CHECK(has(o.warnings[0], "DOWNLOAD_DIR"));
  CHECK(has(o.warnings[1], "HF_HUB_ENABLE_HF_TRANSFER"));
}

TEST_CASE("options: the certificates say where they came from") {
  Values values =
      with(init_container(),
           {{"AWS_CA_BUNDLE", "/1"}, {"SSL_CERT_FILE", "/2"}, {"CURL_CA_BUNDLE", "/3"}, {"REQUESTS_CA_BUNDLE", "/4"}});
  const Options flag = accepted({"--ca-bundle", "/0"}, values);
  CHECK(flag.ca_bundle.path == "/0");
  CHECK(flag.ca_bundle.origin == "--ca-bundle");
  for (const std::string name : {"AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    const Options o = accepted({}, values);
    CHECK(o.ca_bundle.origin == name);
    CHECK(o.ca_bundle.path == values.at(name));
    values.erase(name);
  }
  CHECK(accepted({}, values).ca_bundle.path.empty());
}

TEST_CASE("options: the Hub token is found, and a token file that cannot be read is warned about") {
  CHECK(accepted({}, with(init_container(), {{"HF_TOKEN", " hf_env\n"}})).hf_token.reveal() == "hf_env");
  const Options o = accepted({}, with(init_container(), {{"HF_TOKEN_PATH", "/nonexistent/$NOPE/${X"}}));
  CHECK(o.hf_token.empty());
  REQUIRE(o.warnings.size() == 1);
  CHECK(has(o.warnings[0], "HF_TOKEN_PATH"));
}
