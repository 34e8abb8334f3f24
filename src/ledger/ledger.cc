// SPDX-License-Identifier: MIT
#include "ledger/ledger.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace hfpour {
namespace {

constexpr std::string_view state_folder = ".hfpour/";
constexpr std::string_view manifest_name = ".hfpour/manifest.json";
constexpr std::string_view checkpoint_name = ".hfpour/checkpoint.json";
constexpr Bytes longest_manifest = 256 * MiB;  ///< 100,000 files are about 30 MiB
constexpr Millis checkpoint_interval{1'000};
/// A checkpoint may hold the loop for a hundredth of the time, and be on its way, beside the files, for a tenth. What
/// is timed is the writing of its text; to sign it costs up to as much again (tests/instructions).
constexpr int loop_share = 200;
constexpr int way_share = 10;

/// A model and a dataset of one name have one place. Whoever poured second would mix or replace the first one's files.
Result<void> check_type(const std::optional<Manifest>& document, const Identity& wanted) {
  if (!document || document->identity.type == wanted.type) return {};
  return Error(
      Kind::usage,
      fmt::format("the place holds the {} '{}', which a {} of that name cannot share: choose another prefix "
                  "for it",
                  printable(document->identity.type, 40), printable(document->identity.repository), wanted.type));
}

}  // namespace

const ListedObject* Found::object(std::string_view name) const {
  const auto place = std::lower_bound(objects.begin(), objects.end(), name,
                                      [](const ListedObject& o, std::string_view wanted) { return o.name < wanted; });
  return place != objects.end() && place->name == name ? &*place : nullptr;
}

bool Found::holds(const Record& record) const {
  const ListedObject* const there = object(record.file.path);
  return there != nullptr && there->size == record.file.size && there->etag == record.stored.etag;
}

const Record* Found::proof(const FileEntry& file) const {
  for (const std::optional<Manifest>* const document : {&checkpoint, &manifest}) {
    if (!document->has_value()) continue;
    const Record* const record = (*document)->find(file.path);
    if (record == nullptr || record->file.size != file.size || !(record->file.hash == file.hash)) continue;
    if (holds(*record)) return record;
  }
  return nullptr;
}

bool Found::recorded(std::string_view path) const {
  return (manifest && manifest->find(path) != nullptr) || (checkpoint && checkpoint->find(path) != nullptr);
}

bool Found::satisfies(const Identity& wanted) const {
  if (!manifest || !manifest->complete) return false;
  Identity recorded = manifest->identity;
  if (wanted.revision == manifest->commit) recorded.revision = wanted.revision;
  if (!(recorded == wanted)) return false;
  return std::ranges::all_of(manifest->files, [this](const Record& record) { return holds(record); });
}

Task<Result<Found>> Ledger::look(Identity wanted, bool refresh, CancelToken cancel) {
  Found found;
  Result<std::optional<Manifest>> manifest = co_await read(manifest_name, found.remarks, cancel);
  if (!manifest) co_return manifest.error();
  found.manifest = std::move(*manifest);
  Result<void> same = check_type(found.manifest, wanted);
  if (!same) co_return same.error();
  const auto keep = [&found](const ListedObject& object) {
    if (!object.name.starts_with(state_folder)) found.objects.push_back(object);
  };
  Result<void> listed = co_await store_.list("", keep, cancel);
  if (!listed) co_return listed.error();
  std::sort(found.objects.begin(), found.objects.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (!refresh && found.satisfies(wanted)) co_return found;
  Result<std::optional<Manifest>> checkpoint = co_await read(checkpoint_name, found.remarks, cancel);
  if (!checkpoint) co_return checkpoint.error();
  found.checkpoint = std::move(*checkpoint);
  same = check_type(found.checkpoint, wanted);
  if (!same) co_return same.error();
  co_return found;
}

Task<Result<std::optional<Manifest>>> Ledger::read(std::string_view name, std::vector<std::string>& remarks,
                                                   CancelToken cancel) {
  Result<std::optional<std::string>> text = co_await store_.get(name, longest_manifest, cancel);
  if (!text) co_return text.error();
  std::optional<Manifest> found;
  if (!text->has_value()) co_return found;
  Result<Manifest> manifest = read_manifest(**text);
  if (manifest) {
    found = std::move(*manifest);
  } else {
    remarks.push_back(std::string(name) + " is not used: " + manifest.error().sentence);
  }
  co_return found;
}

void Ledger::begin(Identity identity, std::string commit, std::vector<Record> kept, std::vector<UnfinishedFile> left) {
  current_.identity = std::move(identity);
  current_.commit = std::move(commit);
  current_.complete = false;
  current_.files = std::move(kept);
  written_ = !left.empty();
  current_.unfinished = std::move(left);
  noted_ = uploads();
  dirty_ = false;
}

std::unordered_set<std::string> Ledger::uploads() const {
  std::unordered_set<std::string> ids;
  for (const UnfinishedFile& one : current_.unfinished) ids.insert(one.upload.upload_id);
  return ids;
}

std::vector<UnfinishedFile> Ledger::unnoted() const {
  std::vector<UnfinishedFile> found;
  for (const UnfinishedFile& one : current_.unfinished) {
    if (!noted_.contains(one.upload.upload_id)) found.push_back(one);
  }
  return found;
}

void Ledger::stored(const FileEntry& file, StoredFile facts) {
  current_.files.push_back(Record{file, std::move(facts)});
  dirty_ = true;
}

void Ledger::set_aside(std::vector<UnfinishedFile> others) {
  others_ = std::move(others);
}

void Ledger::rest(std::vector<UnfinishedFile> left) {
  look_ = nullptr;
  dirty_ = dirty_ || !left.empty() || !current_.unfinished.empty();
  set_unfinished(std::move(left));
}

void Ledger::set_unfinished(std::vector<UnfinishedFile> ours) {
  current_.unfinished = std::move(ours);
  current_.unfinished.insert(current_.unfinished.end(), others_.begin(), others_.end());
}

Task<Result<void>> Ledger::keep_checkpoint(CancelToken cancel) {
  Millis pause = checkpoint_interval;
  while (true) {
    co_await reactor_.sleep(pause, cancel);
    if (cancel.cancelled()) co_return Result<void>();
    const SteadyTime begun = reactor_.clock().now();
    const Result<void> saved = co_await save_checkpoint(cancel);
    const Millis took = std::chrono::duration_cast<Millis>(reactor_.clock().now() - begun);
    pause = saved ? std::max({checkpoint_interval, took * way_share, writing_took_ * loop_share}) : checkpoint_interval;
  }
}

Task<Result<void>> Ledger::save_checkpoint(CancelToken cancel) {
  if (!dirty_) co_return Result<void>();
  dirty_ = false;
  const SteadyTime begun = reactor_.clock().now();
  sort_files();
  if (look_) set_unfinished(look_());
  // A run that has done nothing leaves nothing behind.
  if (current_.files.empty() && current_.unfinished.empty() && !written_) co_return Result<void>();
  std::string text = write_manifest(current_);
  writing_took_ = std::chrono::duration_cast<Millis>(reactor_.clock().now() - begun);
  std::unordered_set<std::string> named = uploads();
  Result<void> put = co_await store_.put(checkpoint_name, std::move(text), cancel);
  written_ = true;
  if (put) {
    noted_ = std::move(named);
  } else {
    dirty_ = true;
  }
  co_return put;
}

Task<Result<void>> Ledger::seal(CancelToken cancel) {
  current_.complete = true;
  current_.unfinished.clear();
  sort_files();
  Result<void> put = co_await store_.put(manifest_name, write_manifest(current_), cancel);
  if (!put) {
    current_.complete = false;
    set_unfinished({});
    co_return put.error().at("writing the manifest");
  }
  const Result<void> tidied = co_await drop_checkpoint(cancel);
  (void)tidied;  // one left behind does no harm: the manifest is looked at first
  co_return Result<void>();
}

/// All is in the manifest; only notes of files that this run did not pour are worth a checkpoint.
Task<Result<void>> Ledger::drop_checkpoint(CancelToken cancel) {
  Result<void> done;
  if (others_.empty()) {
    done = co_await store_.remove(checkpoint_name, cancel);
    co_return done;
  }
  current_.complete = false;
  current_.files.clear();
  set_unfinished({});
  done = co_await store_.put(checkpoint_name, write_manifest(current_), cancel);
  co_return done;
}

void Ledger::sort_files() {
  std::sort(current_.files.begin(), current_.files.end(),
            [](const Record& a, const Record& b) { return a.file.path < b.file.path; });
}

}  // namespace hfpour
