// SPDX-License-Identifier: MIT
#pragma once

#include "buffer/flow.h"
#include "http/client.h"
#include "loop/side_loop.h"

namespace hfpour::http {

/// Exchanges whose bodies leave from another thread, so that sending does not hold up receiving.
///
///     loop                                  side loop
///     Outlet ── lends pieces of memory ───► copies them into libcurl, `gave`
///            ◄── so many bytes have passed ─
///            ◄── the answer ────────────────
///
/// `send` is for the loop; everything else belongs to the side.
class RemoteSender {
 public:
  /// The loop hears of bytes that have passed when they are so many, and of the last ones.
  static constexpr Bytes worth_telling = 128 * KiB;

  /// `leg` is that of the side's connections; its trace is called on the loop. All outlive this.
  RemoteSender(Reactor& loop, SideLoop& side, Leg leg);
  RemoteSender(const RemoteSender&) = delete;
  RemoteSender& operator=(const RemoteSender&) = delete;

  /// As `Exchange::run` with `send_from(outlet)` and `limit_body(limit)`. When it ends, nothing is lent any more. The
  /// outlet must be able to go on with `worth_telling` bytes lent and not passed.
  Task<Result<Response>> send(Request request, Outlet& outlet, Bytes limit, CancelToken cancel);

 private:
  class Loan;
  class Errand;
  Task<Result<void>> run(Errand& errand);
  Task<Result<Response>> exchange(Errand& errand);

  Reactor& loop_;
  SideLoop& side_;
  Client client_;  ///< the side's
};

}  // namespace hfpour::http
