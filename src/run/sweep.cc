// SPDX-License-Identifier: MIT
#include "run/sweep.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace hfpour::run {
namespace {

constexpr Bytes most_listed = 64 * MiB;  ///< of what the uploads' keys and ids take: some 300,000 uploads

}  // namespace

Task<Result<std::vector<s3::ListedUpload>>> Sweep::list(std::string prefix, CancelToken cancel) {
  std::vector<s3::ListedUpload> found;
  const auto keep = [&found](s3::ListedUpload upload) { found.push_back(std::move(upload)); };
  Result<void> listed = co_await uploads_.list(std::move(prefix), most_listed, keep, cancel);
  if (!listed) co_return listed.error();
  co_return found;
}

Task<Result<std::optional<Sweep::Found>>> Sweep::settle(s3::ListedUpload upload, std::chrono::seconds age,
                                                        bool look_only, CancelToken cancel) {
  std::optional<Found> settled;
  const std::string uri = bucket_.uri(upload.key);
  if (!upload.initiated) {
    observer_.remark("the store does not say when the upload of '" + printable(uri) + "' was begun: it is left alone");
    co_return settled;
  }
  const WallTime limit = bucket_.server_time() - age;
  Found found{uri, *upload.initiated, false};
  if (found.last <= limit) {
    Result<std::optional<WallTime>> part = co_await uploads_.last_part(upload, cancel);
    if (!part && part.error().http_status == 404) co_return settled;
    if (!part) co_return part.error();
    if (part->has_value()) found.last = std::max(found.last, **part);
  }
  found.idle = found.last <= limit;
  if (found.idle && !look_only) {
    Result<void> aborted = co_await uploads_.abort(upload.key, upload.upload_id, cancel);
    if (!aborted) co_return aborted.error();
  }
  settled = found;
  co_return settled;
}

}  // namespace hfpour::run
