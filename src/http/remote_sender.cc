// SPDX-License-Identifier: MIT
#include "http/remote_sender.h"

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "loop/condition.h"

namespace hfpour::http {
namespace {

// Each message may have to wake a thread.
constexpr Bytes low_water = 256 * KiB;  ///< the side is lent more when it has less than this
constexpr Bytes most_lent = 1 * MiB;    ///< at once

Leg told_on(Reactor& loop, Leg leg) {
  if (!leg.trace) return leg;
  leg.trace = [&loop, trace = std::move(leg.trace)](const std::string& line) {
    loop.post([trace, line] { trace(line); });
  };
  return leg;
}

}  // namespace

/// What the side knows of a body: the pieces it was lent. On the side.
class RemoteSender::Loan final : public Outlet {
 public:
  Loan(Reactor& loop, Outlet& origin, std::function<void(Bytes)> passed)
      : loop_(loop), origin_(origin), length_(origin.length()), tell_(std::move(passed)) {}

  Lent lend(Bytes, Bytes limit) override {
    if (pieces_.empty()) return Lent{};
    const ByteView next = pieces_.front();
    return Lent{Kind::bytes, next.first(std::min<Bytes>(limit, next.size()))};
  }
  void gave(ByteView bytes) override { origin_.gave(bytes); }
  void passed(Bytes count) override {
    given_ += count;
    untold_ += count;
    pieces_.front() = pieces_.front().subspan(count);
    if (pieces_.front().empty()) pieces_.pop_front();
    if (untold_ < RemoteSender::worth_telling && given_ < length_) return;
    loop_.post([tell = &tell_, passed = std::exchange(untold_, 0)] { (*tell)(passed); });
  }
  Bytes length() const override { return length_; }
  bool rewind() override { return given_ == 0; }
  void set_waker(Waker* waker) override { waker_ = waker; }

  void add(const std::vector<ByteView>& pieces) {
    pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
    if (waker_ != nullptr) waker_->wake();
  }

 private:
  Reactor& loop_;
  Outlet& origin_;
  Bytes length_;
  std::function<void(Bytes)> tell_;
  std::deque<ByteView> pieces_;
  Bytes given_ = 0;
  Bytes untold_ = 0;
  Waker* waker_ = nullptr;
};

/// One exchange, seen from the loop, and what the side needs of it.
class RemoteSender::Errand final : public Waker {
 public:
  Errand(Reactor& loop, SideLoop& side, Request what, Outlet& outlet, Bytes most)
      : request(std::move(what)),
        limit(most),
        loan(loop, outlet, [this](Bytes count) { take_back(count); }),
        side_(side),
        outlet_(outlet) {}

  /// Bytes have come: there is something to lend.
  void wake() override {
    if (waits_) lend();
  }

  /// As much as is there, unless the side has enough to do.
  void lend() {
    waits_ = false;
    if (answer || lent_ >= low_water) return;
    std::vector<ByteView> pieces;
    while (lent_ < most_lent && passed_ + lent_ < outlet_.length()) {
      const Outlet::Lent next = outlet_.lend(lent_, most_lent - lent_);
      waits_ = next.kind == Outlet::Kind::wait;
      if (next.kind == Outlet::Kind::stop) end(Error(Kind::cancelled, "the source of the request's body has stopped"));
      if (next.kind != Outlet::Kind::bytes) break;
      pieces.push_back(next.bytes);
      lent_ += next.bytes.size();
    }
    if (pieces.empty()) return;
    side_.reactor().post([this, pieces = std::move(pieces)] { loan.add(pieces); });
  }

  /// Ends the exchange, unless it has.
  void end(Error why) {
    side_.reactor().post([this, why = std::move(why)] { stop.cancel(why); });
  }

  // the side's, until it has told of the answer
  Request request;
  const Bytes limit;
  Loan loan;
  CancelSource stop;

  // the loop's
  std::optional<Result<Response>> answer;
  bool over = false;  ///< the side has seen all that it was told
  Condition news;

 private:
  void take_back(Bytes count) {
    lent_ -= count;
    passed_ += count;
    outlet_.passed(count);
    lend();
  }

  SideLoop& side_;
  Outlet& outlet_;
  Bytes lent_ = 0;  ///< and not yet passed
  Bytes passed_ = 0;
  bool waits_ = false;  ///< for more to lend
};

RemoteSender::RemoteSender(Reactor& loop, SideLoop& side, Leg leg)
    : loop_(loop), side_(side), client_(side.reactor(), told_on(loop, std::move(leg))) {
}

Task<Result<Response>> RemoteSender::send(Request request, Outlet& outlet, Bytes limit, CancelToken cancel) {
  if (cancel.cancelled()) co_return cancel.error();
  Errand errand(loop_, side_, std::move(request), outlet, limit);
  outlet.set_waker(&errand);
  side_.spawn([this, &errand] { return run(errand); });
  errand.lend();
  CancelRegistration stop(cancel, [cancel, &errand] { errand.end(cancel.error()); });
  while (!errand.answer) co_await errand.news.wait(CancelToken());
  outlet.set_waker(nullptr);
  stop.reset();
  // What was told the side since it answered must not find the errand gone.
  side_.reactor().post([this, &errand] {
    loop_.post([&errand] {
      errand.over = true;
      errand.news.notify();
    });
  });
  while (!errand.over) co_await errand.news.wait(CancelToken());
  co_return *std::move(errand.answer);
}

Task<Result<Response>> RemoteSender::exchange(Errand& errand) {
  Exchange exchange(client_, std::move(errand.request));
  exchange.limit_body(errand.limit);
  exchange.send_from(errand.loan);
  Result<Response> answer = co_await exchange.run(errand.stop.token());
  co_return answer;
}

/// On the side. The last that is told of is the answer, when nothing of the errand is in use there any more.
Task<Result<void>> RemoteSender::run(Errand& errand) {
  Result<Response> answer = co_await exchange(errand);
  loop_.post([&errand, answer = std::move(answer)]() mutable {
    errand.answer = std::move(answer);
    errand.news.notify();
  });
  co_return Result<void>();
}

}  // namespace hfpour::http
