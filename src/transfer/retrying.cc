// SPDX-License-Identifier: MIT
#include "transfer/retrying.h"

namespace hfpour {

Task<Result<void>> wait_after(Error error, std::string what, Backoff& backoff, Retrying of, CancelToken cancel) {
  const std::optional<Millis> delay = backoff.after(error);
  if (!delay) co_return error;
  ++of.progress.retries;
  if (error.kind == Kind::throttled) ++of.progress.throttled;
  of.observer.retrying(RetryFacts{std::move(what), std::move(error), backoff.failures(), *delay});
  co_await of.reactor.sleep(*delay, cancel);
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

}  // namespace hfpour
