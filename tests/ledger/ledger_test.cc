// SPDX-License-Identifier: MIT
#include "ledger/ledger.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "loop/task_group.h"
#include "support/data.h"
#include "support/memory_store.h"

using namespace hfpour;
using namespace hfpour::testing;

namespace {

const std::string commit(40, 'c');
const Identity wanted{"owner/name", "model", "main", "all"};
constexpr const char* manifest_name = ".hfpour/manifest.json";
constexpr const char* checkpoint_name = ".hfpour/checkpoint.json";

Record record_of(const std::string& path, std::string_view content) {
  Record record;
  record.file = entry_of(path, content);
  record.stored.etag = to_hex(ByteView(md5_of(content)));
  return record;
}

Manifest manifest_of(std::vector<Record> files) {
  Manifest manifest;
  manifest.identity = wanted;
  manifest.commit = commit;
  manifest.complete = true;
  manifest.files = std::move(files);
  return manifest;
}

ListedObject listed(const Record& record) {
  return ListedObject{record.file.path, record.file.size, record.stored.etag};
}

Found found_of(std::vector<Record> files) {
  Found found;
  for (const Record& record : files) found.objects.push_back(listed(record));
  found.manifest = manifest_of(std::move(files));
  return found;
}

struct LedgerBench {
  TestLoop loop;
  MemoryStore store;
  Ledger ledger{loop.reactor, store};
  Result<Found> look(Identity identity = wanted) { return loop.run(ledger.look(identity, false, CancelToken())); }
};

Task<Result<void>> keep_for(Ledger& ledger, Reactor& reactor, Millis time, std::function<void()> halfway) {
  CancelSource stop;
  TaskGroup group(reactor.ready(), CancelToken());
  group.spawn(ledger.keep_checkpoint(stop.token()));
  co_await reactor.sleep(time / 2, CancelToken());
  halfway();
  co_await reactor.sleep(time / 2, CancelToken());
  stop.cancel();
  Result<void> joined = co_await group.join();
  co_return joined;
}

}  // namespace

TEST_CASE("found: satisfied only when everything is recorded and listed as recorded") {
  const Record a = record_of("a", "one");
  const Record b = record_of("b", "two");
  CHECK(found_of({a, b}).satisfies(wanted));
  CHECK(found_of({}).satisfies(wanted));
  CHECK_FALSE(Found().satisfies(wanted));

  Found incomplete = found_of({a, b});
  incomplete.manifest->complete = false;
  CHECK_FALSE(incomplete.satisfies(wanted));

  Found missing = found_of({a, b});
  missing.objects.pop_back();
  CHECK_FALSE(missing.satisfies(wanted));

  Found longer = found_of({a, b});
  ++longer.objects[1].size;
  CHECK_FALSE(longer.satisfies(wanted));

  Found other = found_of({a, b});
  other.objects[0].etag = "other";
  CHECK_FALSE(other.satisfies(wanted));

  Found more = found_of({a, b});
  more.objects.push_back(ListedObject{"z", 3, "etag"});
  CHECK(more.satisfies(wanted));

  Found only_checkpoint = found_of({a, b});
  only_checkpoint.checkpoint = std::exchange(only_checkpoint.manifest, std::nullopt);
  CHECK_FALSE(only_checkpoint.satisfies(wanted));
}

TEST_CASE("found: another repository, type, revision or selection is not satisfied") {
  const Found found = found_of({record_of("a", "one")});
  Identity other = wanted;
  other.repository = "owner/other";
  CHECK_FALSE(found.satisfies(other));
  other = wanted;
  other.type = "dataset";
  CHECK_FALSE(found.satisfies(other));
  other = wanted;
  other.selection = "*.json";
  CHECK_FALSE(found.satisfies(other));
  other = wanted;
  other.revision = "v1.0";
  CHECK_FALSE(found.satisfies(other));
  other.revision = commit;  // the very commit that is there, whatever it was called then
  CHECK(found.satisfies(other));
}

TEST_CASE("found: a record proves a file when hash, size and the listing agree") {
  const Record a = record_of("a", "one");
  const Found found = found_of({a});
  REQUIRE(found.proof(a.file) != nullptr);
  CHECK(found.recorded("a"));
  CHECK_FALSE(found.recorded("b"));

  CHECK(found.proof(entry_of("b", "one")) == nullptr);
  CHECK(found.proof(entry_of("a", "two")) == nullptr);
  CHECK(found.proof(entry_of("a", "one", HashKind::git_blob)) == nullptr);
  FileEntry longer = a.file;
  ++longer.size;
  CHECK(found.proof(longer) == nullptr);
  Found altered = found_of({a});
  altered.objects[0].etag = "other";
  CHECK(altered.proof(a.file) == nullptr);
  CHECK(altered.recorded("a"));
  Found gone = found_of({a});
  gone.objects.clear();
  CHECK(gone.proof(a.file) == nullptr);
}

TEST_CASE(
    "found: the checkpoint proves what is newer than the manifest, and the manifest what it does "
    "not say") {
  const Record older = record_of("a", "one");
  const Record newer = record_of("a", "two");
  const Record kept = record_of("b", "three");
  Found found = found_of({older, kept});
  found.checkpoint = manifest_of({newer});
  found.checkpoint->complete = false;
  found.objects = {listed(newer), listed(kept)};
  CHECK(found.proof(older.file) == nullptr);
  CHECK(found.proof(newer.file) == &found.checkpoint->files[0]);
  CHECK(found.proof(kept.file) == &found.manifest->files[1]);
  CHECK(found.recorded("b"));
}

TEST_CASE("ledger: an empty place holds nothing and is no trouble") {
  LedgerBench bench;
  const auto found = bench.look();
  REQUIRE(found);
  CHECK_FALSE(found->manifest.has_value());
  CHECK_FALSE(found->checkpoint.has_value());
  CHECK(found->remarks.empty());
  CHECK_FALSE(found->satisfies(wanted));
}

TEST_CASE("ledger: a sealed run is found again with two requests") {
  LedgerBench bench;
  const Record a = record_of("b/a", "one");
  const Record b = record_of("a", "two");
  bench.ledger.begin(wanted, commit, {a}, {});
  bench.ledger.stored(b.file, b.stored);
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  CHECK(bench.store.objects.contains(checkpoint_name));
  CHECK(bench.loop.run(bench.ledger.seal(CancelToken())).has_value());
  CHECK(bench.store.objects.contains(manifest_name));
  CHECK_FALSE(bench.store.objects.contains(checkpoint_name));

  bench.store.listed = {listed(a), ListedObject{manifest_name, 10, "e"}, listed(b)};
  bench.store.calls.clear();
  const auto found = bench.look();
  REQUIRE(found);
  CHECK(found->satisfies(wanted));
  CHECK(found->objects.size() == 2);
  CHECK(found->object("a") != nullptr);
  CHECK(found->object("b/a") != nullptr);
  CHECK(found->object(manifest_name) == nullptr);
  CHECK(bench.store.calls.size() == 2);
}

TEST_CASE("ledger: after a killed run the checkpoint is read") {
  LedgerBench bench;
  const Record a = record_of("a", "one");
  bench.ledger.begin(wanted, commit, {}, {});
  bench.ledger.stored(a.file, a.stored);
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  bench.store.listed = {listed(a)};
  const auto found = bench.look();
  REQUIRE(found);
  CHECK_FALSE(found->satisfies(wanted));
  REQUIRE(found->checkpoint.has_value());
  CHECK_FALSE(found->checkpoint->complete);
  CHECK(found->proof(a.file) != nullptr);
}

TEST_CASE("ledger: a damaged state object is remarked and not used") {
  LedgerBench bench;
  bench.store.objects[manifest_name] = "{\"schema\": 1, ";
  bench.store.objects[checkpoint_name] = "{\"schema\": 99}";
  const auto found = bench.look();
  REQUIRE(found);
  CHECK_FALSE(found->manifest.has_value());
  CHECK_FALSE(found->checkpoint.has_value());
  REQUIRE(found->remarks.size() == 2);
  CHECK(found->remarks[0].find("manifest.json is not used") != std::string::npos);
}

TEST_CASE("ledger: the place of another type of repository is refused, sealed or half done") {
  for (const char* const name : {manifest_name, checkpoint_name}) {
    CAPTURE(name);
    LedgerBench bench;
    bench.store.objects[name] = write_manifest(manifest_of({record_of("a", "alpha")}));
    Identity dataset = wanted;
    dataset.type = "dataset";
    const Result<Found> found = bench.look(dataset);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().kind == Kind::usage);
    CHECK(found.error().sentence.find("holds the model 'owner/name'") != std::string::npos);
    CHECK(bench.look().has_value());
  }
}

TEST_CASE("ledger: trouble with the store is no empty place") {
  LedgerBench bench;
  bench.store.failing = Error(Kind::forbidden, "AccessDenied");
  const auto found = bench.look();
  REQUIRE_FALSE(found);
  CHECK(found.error().kind == Kind::forbidden);
}

TEST_CASE("ledger: a checkpoint is written now and then, and only when something is new") {
  LedgerBench bench;
  const Record a = record_of("a", "one");
  bench.ledger.begin(wanted, commit, {}, {});
  const auto store_a = [&bench, &a] { bench.ledger.stored(a.file, a.stored); };
  const Result<void> kept = bench.loop.run(keep_for(bench.ledger, bench.loop.reactor, Millis(60'000), store_a));
  CHECK(kept.has_value());
  CHECK(bench.store.calls == std::vector<std::string>{std::string("put ") + checkpoint_name});
  const auto written = read_manifest(bench.store.objects[checkpoint_name]);
  REQUIRE(written);
  CHECK(written->files.size() == 1);
}

TEST_CASE("ledger: a checkpoint that cannot be written is tried again") {
  LedgerBench bench;
  const Record a = record_of("a", "one");
  bench.ledger.begin(wanted, commit, {}, {});
  bench.ledger.stored(a.file, a.stored);
  bench.store.failing = Error(Kind::unavailable, "HTTP 503");
  const auto mend = [&bench] { bench.store.failing.reset(); };
  const Result<void> kept = bench.loop.run(keep_for(bench.ledger, bench.loop.reactor, Millis(60'000), mend));
  CHECK(kept.has_value());
  CHECK(bench.store.calls.size() > 2);
  CHECK(bench.store.objects.contains(checkpoint_name));
}

TEST_CASE("ledger: a file stored while the checkpoint is on its way is in the next one") {
  LedgerBench bench;
  const Record a = record_of("a", "one");
  const Record b = record_of("b", "two");
  bench.ledger.begin(wanted, commit, {}, {});
  bench.ledger.stored(a.file, a.stored);
  bench.store.during_put = [&bench, &b] { bench.ledger.stored(b.file, b.stored); };
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  bench.store.during_put = nullptr;
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  const auto written = read_manifest(bench.store.objects[checkpoint_name]);
  REQUIRE(written);
  CHECK(written->files.size() == 2);
}

TEST_CASE("ledger: a manifest that cannot be written is an error, a checkpoint left behind is none") {
  LedgerBench bench;
  bench.ledger.begin(wanted, commit, {}, {});
  bench.store.failing_remove = Error(Kind::forbidden, "AccessDenied");
  CHECK(bench.loop.run(bench.ledger.seal(CancelToken())).has_value());
  bench.store.failing = Error(Kind::forbidden, "AccessDenied");
  const Result<void> sealed = bench.loop.run(bench.ledger.seal(CancelToken()));
  REQUIRE_FALSE(sealed.has_value());
  CHECK(sealed.error().sentence.starts_with("writing the manifest: "));
}

TEST_CASE("ledger: what is unfinished is in every checkpoint, and in no manifest") {
  LedgerBench bench;
  UnfinishedFile one{record_of("large", "one").file, Unfinished{"id 1", 16, {}, {}}};
  const auto noted = [&bench] {
    const auto found = bench.look();
    REQUIRE(found);
    REQUIRE(found->checkpoint.has_value());
    return found->checkpoint->unfinished;
  };
  // Before anything is known of this run, that of an earlier one stays noted.
  bench.ledger.begin(wanted, commit, {}, {one});
  bench.ledger.advanced();
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  REQUIRE(noted().size() == 1);
  CHECK(noted()[0].upload.upload_id == "id 1");

  one.upload.upload_id = "id 2";
  bench.ledger.follow([&one] { return std::vector<UnfinishedFile>{one}; });
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  CHECK(noted()[0].upload.upload_id == "id 1");  // nothing was new
  bench.ledger.advanced();
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  CHECK(noted()[0].upload.upload_id == "id 2");

  bench.ledger.rest({});
  CHECK(bench.loop.run(bench.ledger.save_checkpoint(CancelToken())).has_value());
  CHECK(noted().empty());

  bench.ledger.rest({one});
  CHECK(bench.loop.run(bench.ledger.seal(CancelToken())).has_value());
  CHECK(bench.store.objects.at(manifest_name).find("id 2") == std::string::npos);
}
