// SPDX-License-Identifier: MIT
#include "ledger/manifest.h"

#include <doctest/doctest.h>

#include <fstream>

#include "base/text.h"
#include "support/data.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

const std::string revision(40, 'c');

Record record_of(const std::string& path, Bytes size, HashKind kind = HashKind::sha256) {
  Record record;
  record.file = FileEntry{path, size, hash_of(kind, path)};
  record.stored.etag = to_hex(record.file.hash).substr(0, 32) + "-2";
  record.stored.part_size = 16;
  record.stored.xxh3 = {xxh3_of(path), xxh3_of(path + "2")};
  return record;
}

Manifest manifest_with(std::vector<std::string> paths) {
  Manifest manifest;
  manifest.identity = Identity{"owner/name", "model", "main", "all"};
  manifest.commit = revision;
  manifest.complete = true;
  std::ranges::sort(paths);
  for (const std::string& path : paths) manifest.files.push_back(record_of(path, path.size() * 1000));
  return manifest;
}

std::string with(const std::string& text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return std::string(text).replace(at, from.size(), to);
}

// A sanitizer's own memory is not ours. gcc tells by macros, clang by features.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

/// Most bytes this process had resident since `forget_peak`.
Bytes peak_resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * KiB;
  }
  return 0;
}

void forget_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}  // proc(5)

}  // namespace

TEST_CASE("manifest: what was written is read again, odd names and all") {
  Manifest manifest = manifest_with({"a b/ä ö+ü.json", "quote\".bin", "back\\slash", "tab\tnew\nline", "\x7f",
                                     "雪.gguf", "%41", "</script>", "{}[],:", std::string(1000, 'n')});
  manifest.files[0].file.hash = hash_of(HashKind::git_blob, "x");
  manifest.files[1].stored.xxh3.clear();
  manifest.files[2].file.size = 0;
  manifest.files[3].file.size = ~Bytes(0);
  manifest.identity.revision = "refs/pr/1 \"odd\"";
  const auto read = read_manifest(write_manifest(manifest));
  REQUIRE(read);
  CHECK(read->identity == manifest.identity);
  CHECK(read->commit == revision);
  CHECK(read->complete);
  REQUIRE(read->files.size() == manifest.files.size());
  for (const Record& record : manifest.files) {
    CAPTURE(record.file.path);
    const Record* const found = read->find(record.file.path);
    REQUIRE(found != nullptr);
    CHECK(found->file.size == record.file.size);
    CHECK(found->file.hash == record.file.hash);
    CHECK(found->stored.etag == record.stored.etag);
    CHECK(found->stored.part_size == record.stored.part_size);
    CHECK(found->stored.xxh3 == record.stored.xxh3);
  }
  CHECK(read->find("not there") == nullptr);
  CHECK(write_manifest(*read) == write_manifest(manifest));
}

TEST_CASE("manifest: an unfinished one and one of no files survive too") {
  Manifest manifest = manifest_with({});
  manifest.complete = false;
  const auto read = read_manifest(write_manifest(manifest));
  REQUIRE(read);
  CHECK_FALSE(read->complete);
  CHECK(read->files.empty());
}

TEST_CASE("manifest: records in any order are found") {
  Manifest manifest = manifest_with({"a", "b", "c"});
  std::ranges::reverse(manifest.files);
  const auto read = read_manifest(write_manifest(manifest));
  REQUIRE(read);
  for (const char* const path : {"a", "b", "c"}) CHECK(read->find(path) != nullptr);
}

TEST_CASE("manifest: a text that was cut anywhere is refused") {
  const std::string text = write_manifest(manifest_with({"a", "b c"}));
  const std::size_t end = text.find_last_of('}');
  for (std::size_t length = 0; length <= end; ++length) {
    CAPTURE(length);
    CHECK_FALSE(read_manifest(std::string_view(text).substr(0, length)).has_value());
  }
}

TEST_CASE("manifest: a damaged byte never brings a half-read manifest") {
  const Manifest manifest = manifest_with({"a", "b c"});
  const std::string text = write_manifest(manifest);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char with : {'"', '}', ']', ',', '\0', '\xff', '0'}) {
      std::string damaged = text;
      damaged[i] = with;
      const auto read = read_manifest(damaged);
      if (!read) continue;
      REQUIRE(read->files.size() == manifest.files.size());
      for (const Record& record : read->files) REQUIRE(record.stored.xxh3.size() == 2);
    }
  }
}

TEST_CASE("manifest: what is not one, or of another schema, is refused in a sentence") {
  const std::string good = write_manifest(manifest_with({"a", "b"}));
  REQUIRE(read_manifest(good).has_value());
  const std::string bad[] = {
      "",
      "null",
      "[]",
      "{}",
      "<html>not json</html>",
      "\"text\"",
      good + "x",
      good + good,
      with(good, "\"schema\": 1", "\"schema\": 2"),
      with(good, "\"schema\": 1", "\"schema\": \"1\""),
      with(good, "\"schema\": 1", "\"schema\": true"),
      with(good, "\"schema\": 1,", ""),
      with(good, "\"repository\": \"owner/name\",", ""),
      with(good, "\"type\": \"model\",", ""),
      with(good, "\"revision\": \"main\",", ""),
      with(good, "\"selection\": \"all\",", ""),
      with(good, "\"complete\": true,", ""),
      with(good, revision, "short"),
      with(good, "\"files\"", "\"others\""),
      with(good, "\"complete\": true", "\"complete\": true, \"complete\": true"),
      with(good, "\"size\": 1000", "\"size\": -1"),
      with(good, "\"size\": 1000", "\"size\": 1.5"),
      with(good, "\"size\": 1000", "\"size\": \"1000\""),
      with(good, "\"size\": 1000, ", ""),
      with(good, "\"size\": 1000, ", "\"path\": \"c\", "),
      with(good, "\"size\": 1000", "\"size\": 1000, \"size\": 7"),
      with(good, "\"path\": \"b\"", "\"path\": \"a\""),
      with(good, "sha256:", "sha257:"),
      with(good, "sha256:", "sha256"),
      with(good, "\"part_size\": 16, ", ""),
      with(good, "\"part_size\"", "\"part_sizes\""),
      with(good, "\"xxh3\": [\"", "\"xxh3\": [\"zz"),
      with(good, "\"complete\": true", "\"complete\": null"),
  };
  for (const std::string& text : bad) {
    CAPTURE(text);
    const auto read = read_manifest(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == Kind::protocol);
  }
  const std::string head = good.substr(0, good.find("\"files\""));
  for (const std::string files : {"3", "true", "\"none\"", "[3]", "[\"a\"]", "{}", "[[]]", "null"}) {
    CAPTURE(files);
    CHECK_FALSE(read_manifest(head + "\"files\": " + files + "}").has_value());
  }
  CHECK(read_manifest(head + "\"files\": []}").has_value());
}

TEST_CASE("manifest: fields of a later version that say nothing new to this one are skipped") {
  const std::string good = write_manifest(manifest_with({"a"}));
  CHECK(read_manifest(with(good, "\"type\"", "\"note\": \"x\", \"count\": 7, \"flag\": false, \"type\"")).has_value());
}

TEST_CASE("manifest: 100,000 files cost megabytes, not hundreds of them") {
  Manifest manifest = manifest_with({});
  const Record facts = record_of("any", 1);
  for (unsigned i = 0; i < 100'000; ++i) {
    const std::string number = std::to_string(1'000'000 + i);
    manifest.files.push_back(facts);
    manifest.files.back().file.path = "folder/" + number.substr(0, 4) + "/file-" + number + ".bin";
  }
  forget_peak();
  const Bytes before = peak_resident();
  const std::string text = write_manifest(manifest);
  CHECK(text.size() < 300 * manifest.files.size());
  const auto read = read_manifest(text);
  const Bytes after = peak_resident();
  REQUIRE(read);
  CHECK(read->files.size() == 100'000);
  CHECK(read->find("folder/1099/file-1099999.bin") != nullptr);
  CHECK((sanitized || after - before < 128 * MiB));
}

namespace {

/// Notes of two files on their way, as a checkpoint has them.
Manifest checkpoint_of_two() {
  Manifest manifest = manifest_with({"done.bin"});
  manifest.complete = false;
  for (const std::string path : {"a \"b\".bin", "z"}) {
    UnfinishedFile one;
    one.file = FileEntry{path, 100, hash_of(path == "z" ? HashKind::git_blob : HashKind::sha256, path)};
    one.upload.upload_id = "2~\u00e4/+=" + path;
    one.upload.part_size = 16;
    one.upload.parts = {HashedPart{xxh3_of("1"), "\"etag\""}, HashedPart{xxh3_of("2"), ""}};
    one.upload.hash = Digest(DigestKind::sha256).save();
    manifest.unfinished.push_back(std::move(one));
  }
  return manifest;
}

}  // namespace

TEST_CASE("manifest: unfinished files are read again as they were written") {
  const Manifest manifest = checkpoint_of_two();
  const Result<Manifest> read = read_manifest(write_manifest(manifest));
  REQUIRE(read.has_value());
  CHECK(read->files.size() == 1);
  REQUIRE(read->unfinished.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const UnfinishedFile& wrote = manifest.unfinished[i];
    const UnfinishedFile& found = read->unfinished[i];
    CHECK(found.file.path == wrote.file.path);
    CHECK(found.file.size == wrote.file.size);
    CHECK(found.file.hash == wrote.file.hash);
    CHECK(found.upload.upload_id == wrote.upload.upload_id);
    CHECK(found.upload.part_size == wrote.upload.part_size);
    CHECK(found.upload.hash == wrote.upload.hash);
    REQUIRE(found.upload.parts.size() == 2);
    CHECK(found.upload.parts[0].xxh3 == wrote.upload.parts[0].xxh3);
    CHECK(found.upload.parts[0].etag == "\"etag\"");
    CHECK(found.upload.parts[1].etag.empty());
  }
  CHECK(write_manifest(*read) == write_manifest(manifest));
}

TEST_CASE("manifest: notes of unfinished files that are cut or lack a field are refused") {
  const std::string text = write_manifest(checkpoint_of_two());
  for (std::size_t size = 0; size + 2 < text.size(); ++size)
    CHECK_FALSE(read_manifest(text.substr(0, size)).has_value());
  const std::string xxh3 = to_hex(ByteView(xxh3_of("2")));
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"\"upload\"", "\"uplaod\""},
      {"\"midstate\": \"6", "\"midstate\": \"x"},
      {",\"" + xxh3 + "\",\"\"", ",\"" + xxh3 + "\""},
      {"\"" + xxh3 + "\"", "\"" + xxh3 + "0\""},
      {"\"unfinished\": [", "\"unfinished\": 7, \"x\": ["},
      {"\"part_size\": 16", "\"part_size\": -1"}};
  for (const auto& damage : damages) {
    CAPTURE(damage.first);
    CHECK_FALSE(read_manifest(with(text, damage.first, damage.second)).has_value());
  }
}
