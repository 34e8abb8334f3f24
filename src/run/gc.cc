// SPDX-License-Identifier: MIT
#include "run/gc.h"

#include "base/text.h"
#include "run/wiring.h"

namespace hfpour::run {

Gc::Gc(const PipeSettings& settings, World world, std::function<void(const Found&)> say)
    : settings_(settings), world_(world), say_(std::move(say)),
      leg_(world.reactor, make_leg(settings.ca_bundle, store_stall)),
      bucket_(leg_, *settings.location, settings.credentials, world.observer, world.random, RetryPolicy(), world.progress),
      uploads_(bucket_) {}

Task<Result<void>> Gc::go(CancelToken cancel) {
  // All of them first: what is dropped while a listing goes on may move its marks.
  std::vector<s3::ListedUpload> found;
  Result<void> listed = co_await uploads_.list(settings_.key, [&found](s3::ListedUpload upload) { found.push_back(std::move(upload)); },
                                               cancel);
  if (!listed) co_return listed;
  for (s3::ListedUpload& upload : found) {
    Result<void> settled = co_await settle(std::move(upload), cancel);
    if (!settled) co_return settled;
  }
  co_return Result<void>();
}

/// An upload is as old as its last part: one that was begun long ago may still be alive.
Task<Result<void>> Gc::settle(s3::ListedUpload upload, CancelToken cancel) {
  const std::string uri = bucket_.uri(upload.key);
  if (!upload.initiated) {
    world_.observer.remark("the store does not say when the upload of '" + printable(uri) + "' was begun: it is left alone");
    co_return Result<void>();
  }
  const WallTime limit = bucket_.server_time() - settings_.older_than;
  Found found{uri, *upload.initiated, false};
  if (found.last <= limit) {
    Result<std::optional<WallTime>> part = co_await uploads_.last_part(upload, cancel);
    if (!part && part.error().http_status == 404) co_return Result<void>();  // settled by someone else
    if (!part) co_return part.error();
    if (part->has_value()) found.last = std::max(found.last, **part);
  }
  found.dropped = found.last <= limit;
  if (found.dropped && !settings_.dry_run) {
    Result<void> aborted = co_await uploads_.abort(upload.key, upload.upload_id, cancel);
    if (!aborted) co_return aborted;
  }
  say_(found);
  co_return Result<void>();
}

}  // namespace hfpour::run
