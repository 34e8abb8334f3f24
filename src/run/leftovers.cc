// SPDX-License-Identifier: MIT
// Open uploads at both ends of a run: what earlier ones left, and what this one leaves when it cannot finish.
#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>

#include "base/text.h"
#include "loop/deadline.h"
#include "loop/task_group.h"
#include "run/run.h"
#include "run/sweep.h"
#include "s3/open_uploads.h"

namespace hfpour::run {
namespace {

constexpr Millis sweep_deadline{20'000};  ///< nothing waits longer for it
constexpr Millis save_deadline{2'500};    ///< the checkpoint, and what has to go because there is none

}  // namespace

/// What earlier runs left open: notes of files that are poured now stay with the work. Those of other files, of another
/// selection perhaps, are kept for a run that wants them, until their uploads are too old.
Task<Result<void>> Run::tidy(Work& work, CancelToken cancel) {
  std::unordered_set<std::string_view> poured;
  for (const FileEntry* const file : work.to_pour) poured.insert(file->path);
  std::vector<UnfinishedFile> ours;
  std::vector<UnfinishedFile> others;
  for (UnfinishedFile& one : work.left) (poured.contains(one.file.path) ? ours : others).push_back(std::move(one));
  work.left = std::move(ours);
  Result<void> swept = co_await sweep(work.left, others, cancel);
  ledger_.set_aside(std::move(others));
  co_return swept;
}

/// Drops uploads of this place that no run claims, because it was killed before it could note them: they would be
/// billed for ever. Of `others` those are forgotten whose upload is gone or too old.
Task<Result<void>> Run::sweep(const std::vector<UnfinishedFile>& claimed, std::vector<UnfinishedFile>& others,
                              CancelToken cancel) {
  Deadline deadline(reactor_, sweep_deadline, cancel);
  Sweep sweep(bucket_, console_);
  Result<std::vector<s3::ListedUpload>> open = co_await sweep.list(settings_.base, deadline.token());
  if (cancel.cancelled()) co_return cancel.error();
  if (!open) {
    // Not everybody may list them, and nothing depends on it.
    if (console_.tracing()) console_.trace("open uploads are not looked for: " + open.error().describe());
    co_return Result<void>();
  }
  std::size_t dropped = 0;
  std::unordered_set<std::string> still_open;
  for (const s3::ListedUpload& upload : *open) still_open.insert(upload.upload_id);
  for (s3::ListedUpload& upload : *open) {
    const std::string id = upload.upload_id;
    const auto has_id = [&id](const UnfinishedFile& one) { return one.upload.upload_id == id; };
    if (std::ranges::any_of(claimed, has_id)) continue;
    const Result<std::optional<Sweep::Found>> settled =
        co_await sweep.settle(std::move(upload), settings_.gc_after, false, deadline.token());
    if (!settled) break;
    if (!settled->has_value() || !(*settled)->idle) continue;
    still_open.erase(id);
    ++dropped;
  }
  std::erase_if(others, [&](const UnfinishedFile& one) { return !still_open.contains(one.upload.upload_id); });
  if (dropped > 0)
    console_.remark(fmt::format("dropped {} that an earlier run had left open", cli::plural(dropped, "upload")));
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

/// Notes what is stored, so that a later run can go on with it. What cannot be noted, because a full store or a policy
/// refuses the checkpoint, is dropped: nobody would ever know of it, and it would be billed. Without an answer the
/// checkpoint may have been written, or the store cannot be asked to drop anything either.
Task<void> Run::save_what_is_done() {
  Deadline deadline(reactor_, save_deadline);
  const Result<void> saved = co_await ledger_.save_checkpoint(deadline.token());
  if (saved) co_return;
  console_.remark("the checkpoint could not be written: " + saved.error().describe());
  if (saved.error().http_status == 0) {
    const std::size_t unnoted = ledger_.unnoted().size();
    if (unnoted > 0)
      console_.remark(cli::plural(unnoted, "upload") + " that it would have named may stay open until --gc-after");
    co_return;
  }
  co_await drop_unnoted(deadline.token());
}

/// Uploads that no checkpoint names.
Task<void> Run::drop_unnoted(CancelToken cancel) {
  TaskGroup group(reactor_.ready(), cancel);
  for (UnfinishedFile& one : ledger_.unnoted()) group.spawn(drop(std::move(one), group.token()));
  const Result<void> dropped = co_await group.join();
  (void)dropped;  // each says so itself
}

Task<Result<void>> Run::drop(UnfinishedFile unnoted, CancelToken cancel) {
  s3::OpenUploads uploads(bucket_);
  const std::string& id = unnoted.upload.upload_id;
  const Result<void> aborted = co_await uploads.abort(settings_.base + unnoted.file.path, id, cancel);
  if (!aborted) {
    console_.remark(fmt::format("the upload of '{}' could not be dropped ({}); its id is {}",
                                printable(unnoted.file.path), aborted.error().sentence, printable(id)));
  }
  co_return Result<void>();
}

}  // namespace hfpour::run
