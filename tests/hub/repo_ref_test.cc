// SPDX-License-Identifier: MIT
#include "hub/repo_ref.h"

#include <doctest/doctest.h>

using namespace hfpour;
using namespace hfpour::hub;
using Type = RepoRef::Type;

TEST_CASE("repo ref: addresses and plain names are understood") {
  struct Case {
    const char* text;
    RepoRef ref;
  };
  const Case cases[] = {
      {"gpt2", {Type::model, "gpt2", "main", false, ""}},
      {"meta-llama/Llama-2-7b-hf", {Type::model, "meta-llama/Llama-2-7b-hf", "main", false, ""}},
      {"me/repo@v1.0", {Type::model, "me/repo", "v1.0", true, ""}},
      {"hf://me/repo", {Type::model, "me/repo", "main", false, ""}},
      {"hf://me/repo/", {Type::model, "me/repo", "main", false, ""}},
      {"hf://gpt2", {Type::model, "gpt2", "main", false, ""}},
      {"hf://models/me/repo@dev", {Type::model, "me/repo", "dev", true, ""}},
      {"hf://datasets/me/data", {Type::dataset, "me/data", "main", false, ""}},
      {"hf://datasets/squad", {Type::dataset, "squad", "main", false, ""}},
      {"hf://spaces/me/app@main", {Type::space, "me/app", "main", true, ""}},
      {"hf://me/repo/sub/x.bin", {Type::model, "me/repo", "main", false, "sub/x.bin"}},
      {"hf://me/repo/sub/x@1.bin", {Type::model, "me/repo", "main", false, "sub/x@1.bin"}},
      {"hf://me/repo@v1/sub/x.bin", {Type::model, "me/repo", "v1", true, "sub/x.bin"}},
      {"hf://me/repo@refs/pr/3", {Type::model, "me/repo", "refs/pr/3", true, ""}},
      {"hf://me/repo@refs/pr/3/a.txt", {Type::model, "me/repo", "refs/pr/3", true, "a.txt"}},
      {"hf://datasets/me/d@refs/convert/parquet/x/y", {Type::dataset, "me/d", "refs/convert/parquet", true, "x/y"}},
      {"hf://me/repo@refs%2Fpr%2F3", {Type::model, "me/repo", "refs/pr/3", true, ""}},
      {"hf://me/repo@feature%2Fx/a.txt", {Type::model, "me/repo", "feature/x", true, "a.txt"}},
      {"hf://me/repo@feature/x", {Type::model, "me/repo", "feature", true, "x"}},
      {"hf://me/repo:v2", {Type::model, "me/repo", "v2", true, ""}},
      {"hf://me/a__b.c-d", {Type::model, "me/a__b.c-d", "main", false, ""}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const auto ref = parse_repo_ref(one.text);
    REQUIRE(ref);
    CHECK(to_string(*ref) == to_string(one.ref));
    CHECK(*ref == one.ref);
  }
}

TEST_CASE("repo ref: a refusal names the value and the rule") {
  struct Case {
    const char* text;
    const char* rule;
  };
  const Case cases[] = {
      {"", "empty"},
      {"hf://", "empty"},
      {"hf://datasets", "empty"},
      {"hf:///repo", "empty"},
      {"me/", "empty"},
      {"/me", "empty"},
      {"hf://model/me/repo", "write 'models/'"},
      {"hf://dataset/me", "write 'datasets/'"},
      {"hf://buckets/me/b", "only models, datasets and spaces"},
      {"https://huggingface.co/me/repo", "write hf://owner/name"},
      {"s3://bucket/x", "write hf://owner/name"},
      {"me/re po", "only letters"},
      {"me/r\xc3\xa9po", "only letters"},
      {"me/repo\n", "only letters"},
      {"../etc", "begin or end"},
      {"me/-repo", "begin or end"},
      {"me/repo.", "begin or end"},
      {".me/repo", "begin or end"},
      {"me/a..b", "'..'"},
      {"me/a--b", "'--'"},
      {"me/repo.git", ".git"},
      {"me/repo/x.bin", "owner/name"},
      {"hf://me/repo//x", "empty, '.' or '..' part"},
      {"hf://me/repo/../x", "empty, '.' or '..' part"},
      {"hf://me/repo/a\x01", "control character"},
      {"me/repo@", "must not be empty"},
      {"hf://me/repo@-x", "begin with '-'"},
      {"hf://me/repo@a..b", "'..'"},
      {"hf://me/repo@a%20b", "blanks"},
      {"hf://me/repo@%00", "control characters"},
      {"hf://me/repo:/data:ro", "must not be empty"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const auto ref = parse_repo_ref(one.text);
    REQUIRE_FALSE(ref);
    CAPTURE(ref.error().sentence);
    CHECK(ref.error().kind == Kind::usage);
    CHECK(ref.error().sentence.find(one.rule) != std::string::npos);
    CHECK(ref.error().sentence.find('\n') == std::string::npos);
  }
  CHECK(parse_repo_ref("me/re po").error().sentence.find("'me/re po'") != std::string::npos);
}

TEST_CASE("repo ref: names end at 96 characters") {
  CHECK(check_repo_id("me/" + std::string(96, 'x')));
  CHECK_FALSE(check_repo_id("me/" + std::string(97, 'x')));
}

TEST_CASE("revision: git's rules hold") {
  for (const char* const good : {"main", "v1.0", "refs/pr/3", "refs/convert/parquet", "feature/x-y", "a@b",
                                 "0123456789012345678901234567890123456789", "\xc3\xa4st"}) {
    CAPTURE(good);
    CHECK(check_revision(good));
  }
  for (const char* const bad :
       {"", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "-x", "/x", "x/", "a\tb", "a\x7f", "\xff"}) {
    CAPTURE(bad);
    const auto checked = check_revision(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().kind == Kind::usage);
  }
  CHECK(check_revision(std::string(255, 'r')));
  CHECK_FALSE(check_revision(std::string(256, 'r')));
}

TEST_CASE("repo ref: paths of requests are encoded once and in the right places") {
  const RepoRef model = *parse_repo_ref("hf://me/repo@refs/pr/3");
  const RepoRef dataset = *parse_repo_ref("hf://datasets/me/data");
  const std::string at(40, 'a');
  CHECK(api_path(model) == "/api/models/me/repo");
  CHECK(api_path(dataset) == "/api/datasets/me/data");
  CHECK(info_path(model) == "/api/models/me/repo/revision/refs%2Fpr%2F3");
  CHECK(info_path(dataset) == "/api/datasets/me/data");
  CHECK(tree_path(model, at) == "/api/models/me/repo/tree/" + at + "?recursive=true&expand=false");
  CHECK(resolve_path(model, at, "sub/a [1]+\xc3\xa4#?%.json") ==
        "/me/repo/resolve/" + at + "/sub/a%20%5B1%5D%2B%C3%A4%23%3F%25.json");
  CHECK(resolve_path(dataset, at, "x") == "/datasets/me/data/resolve/" + at + "/x");
  CHECK(to_string(dataset) == "datasets/me/data@main");
  CHECK(is_commit(at));
  CHECK_FALSE(is_commit(std::string(40, 'A')));
  CHECK_FALSE(is_commit("main"));
}
