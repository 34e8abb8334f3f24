// SPDX-License-Identifier: MIT
#include "run/gc.h"

#include "base/text.h"
#include "run/wiring.h"

namespace hfpour::run {
Gc::Gc(const PipeSettings& settings, World world, std::function<void(const Sweep::Found&)> say)
    : settings_(settings),
      say_(std::move(say)),
      leg_(world.reactor, make_leg(settings.ca_bundle, store_stall, world.observer)),
      keys_(settings.keys, settings.ca_bundle, world),
      bucket_(leg_, *settings.location, keys_.source(), world.observer, world.random, settings.patience,
              world.progress),
      sweep_(bucket_, world.observer) {
}

Task<Result<void>> Gc::go(CancelToken cancel) {
  Result<std::vector<s3::ListedUpload>> found = co_await sweep_.list(settings_.key, cancel);
  if (!found) co_return found.error();
  for (s3::ListedUpload& upload : *found) {
    Result<std::optional<Sweep::Found>> settled =
        co_await sweep_.settle(std::move(upload), settings_.older_than, settings_.dry_run, cancel);
    if (!settled) co_return settled.error();
    if (settled->has_value()) say_(**settled);
  }
  co_return Result<void>();
}

}  // namespace hfpour::run
