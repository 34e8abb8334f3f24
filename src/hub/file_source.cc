// SPDX-License-Identifier: MIT
#include "hub/file_source.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "http/exchange.h"
#include "http/headers.h"
#include "http/url.h"
#include "hub/errors.h"

namespace hfpour::hub {
namespace {

constexpr unsigned most_cdn_hops = 4;       ///< contract hub §3.3: three more after the first
constexpr unsigned most_wrong_answers = 3;  ///< a 200 to a range, a wrong Content-Range: not a matter of patience
constexpr unsigned most_new_addresses = 5;  ///< without progress (contract hub §3.6)

/// Counts since the last progress what a new address may cure, but only so often (contract hub §5.4).
struct Refusals {
  unsigned of_addresses = 0;  ///< the CDN refused one, or its certificate was not trusted
  unsigned of_requests = 0;   ///< HTTP 400 of the CDN
  unsigned of_access = 0;     ///< 401 or 403 of the Hub, which had granted it a moment ago

  /// The error that ends it, nothing while another try is worth it; what is worth one becomes retryable.
  std::optional<Error> judge(Error& error) {
    const bool access = error.http_status == 401 || error.http_status == 403;
    if (error.kind == Kind::expired) {
      const bool bad_request = error.http_status == 400;
      if (bad_request ? ++of_requests <= 1 : ++of_addresses <= most_new_addresses) return std::nullopt;
      Error last = error;
      // Not `expired`, which the core would take for a reason to begin the file anew.
      last.kind = error.http_status == 0 ? Kind::usage : Kind::protocol;
      if (!bad_request) last.sentence += "; new addresses, asked for past all caches, did not help";
      return last;
    }
    if (access && !is_retryable(error.kind) && ++of_access == 1) error.kind = Kind::unavailable;
    return std::nullopt;
  }
};

}  // namespace

/// Lets exactly one range of what is sent through to the inner inlet: what comes before is skipped (a server that does
/// not do ranges), what comes after is refused.
class FileSource::RangeInlet final : public Inlet {
 public:
  RangeInlet(Inlet& inner, ByteRange range) : inner_(inner), range_(range), at_(range.begin) {}

  /// The next answer begins at byte `offset` of the file.
  void begin_at(Bytes offset) { incoming_ = offset; }
  Bytes at() const { return at_; }
  ByteRange left() const { return ByteRange{at_, range_.end}; }
  bool complete() const { return at_ == range_.end; }

  Take take(ByteView bytes) override {
    const Bytes skip = std::min<Bytes>(bytes.size(), at_ - incoming_);
    const ByteView rest = bytes.subspan(skip);
    const ByteView mine = rest.first(std::min<Bytes>(rest.size(), range_.end - at_));
    if (mine.empty() && !rest.empty()) return Take::refused;
    if (!mine.empty()) {
      const Take taken = inner_.take(mine);
      if (taken != Take::all) return taken;
    }
    at_ += mine.size();
    incoming_ += skip + mine.size();
    return mine.size() == rest.size() ? Take::all : Take::refused;
  }
  void set_waker(Waker* waker) override { inner_.set_waker(waker); }

 private:
  Inlet& inner_;
  ByteRange range_;
  Bytes at_;            ///< the next byte the inner inlet gets
  Bytes incoming_ = 0;  ///< the offset in the file of the next byte that comes in; never beyond `at_`
};

std::string FileSource::name_of(const FileEntry& file) const {
  return "'" + printable(file.path) + "'";
}

Task<Result<void>> FileSource::stream(const FileEntry& file, ByteRange range, Inlet& inlet, CancelToken cancel) {
  std::unique_ptr<Slot>& place = links_[&file];
  if (!place) place = std::make_unique<Slot>();
  Slot& slot = *place;
  Result<void> streamed = co_await stream_with(file, range, inlet, slot, cancel);
  co_return streamed;
}

Task<Result<void>> FileSource::stream_with(const FileEntry& file, ByteRange range, Inlet& inlet, Slot& slot,
                                           CancelToken cancel) {
  RangeInlet ranged(inlet, range);
  Backoff backoff = hub_.new_backoff();
  unsigned wrong_answers = 0;
  Refusals refusals;
  while (!ranged.complete()) {
    const Bytes before = ranged.at();
    Result<Link> link = co_await link_to(file, slot, cancel);
    // Everything but an address that came dead has been tried again already.
    if (!link && link.error().kind != Kind::expired) co_return link.error();
    Result<void> got = link ? Result<void>() : link.error();
    if (link) got = co_await attempt(file, ranged.left(), ranged, slot, *link, cancel);
    if (ranged.complete()) break;
    if (got) got = Error(Kind::network, "the stream ended early");
    if (ranged.at() > before) {
      backoff.progress();
      wrong_answers = 0;
      refusals = Refusals();
      slot.cache_in_doubt = false;
    }
    Error error = got.error();
    // Some cache may have kept an address that is another range's, or too old (contract hub §3.4, §3.6).
    if (error.kind == Kind::expired) slot.cache_in_doubt = true;
    if (const std::optional<Error> last = refusals.judge(error)) co_return last->at(name_of(file));
    if (error.kind == Kind::protocol && ++wrong_answers >= most_wrong_answers) co_return error.at(name_of(file));
    // An edge that went silent or slow asks for a new address: it may lead to another edge (contract hub §5.4).
    const bool silent = error.kind == Kind::timeout && error.http_status == 0;
    Result<void> again = co_await hub_.wait_after(
        std::move(error), fmt::format("{} at byte {}", name_of(file), ranged.at()), backoff, cancel);
    if (!again) co_return again.error().kind == Kind::cancelled ? again.error() : again.error().at(name_of(file));
    // So does each second failure.
    if (backoff.failures() % 2 == 0 || silent) slot.link.reset();
  }
  co_return Result<void>();
}

Task<Result<Link>> FileSource::link_to(const FileEntry& file, Slot& slot, CancelToken cancel) {
  while (slot.asking && !cancel.cancelled()) co_await slot.answered.wait(cancel);
  if (cancel.cancelled()) co_return cancel.error();
  if (slot.link && hub_.client().reactor().clock().wall() < slot.link->good_until) co_return *slot.link;
  slot.asking = true;
  Result<Link> link = co_await hub_.resolve(ref_, commit_, file, slot.cache_in_doubt, cancel);
  slot.asking = false;
  slot.link.reset();
  if (link) slot.link = *link;
  slot.answered.notify();
  co_return link;
}

Task<Result<void>> FileSource::attempt(const FileEntry& file, ByteRange range, RangeInlet& inlet, Slot& slot, Link link,
                                       CancelToken cancel) {
  for (unsigned hop = 0; hop < most_cdn_hops; ++hop) {
    // What the Hub itself serves counts against its limit; the CDN does not (contract hub §5.1).
    if (link.on_hub) co_await hub_.pacer().turn("resolvers", cancel);
    http::Request request = hub_.request_for(link);
    // The CDN refuses long files without a range (contract hub §3.5); a resolve address must never see one (§3.4); a
    // git file is asked for whole, as every client does.
    const bool whole = range.begin == 0 && range.end == file.size && link.on_hub;
    const bool ranged = !link.bare_resolve && !whole;
    if (ranged) request.headers.add("Range", fmt::format("bytes={}-{}", range.begin, range.end - 1));
    inlet.begin_at(0);
    bool accepted = false;
    const auto fits = [&inlet, &file, range, ranged, on_hub = link.on_hub](const http::Response& answer) {
      if (answer.headers.get("Content-Encoding").value_or("identity") != "identity") return false;
      if (answer.status == 200) return on_hub || !ranged || (range.begin == 0 && range.end == file.size);
      if (answer.status != 206 || !ranged) return false;
      inlet.begin_at(range.begin);
      const auto said = http::parse_content_range(answer.headers.get("Content-Range").value_or(""));
      if (!said) return answer.headers.get("Content-Length") == std::to_string(range.size());
      return said->begin == range.begin && said->end == range.end && said->total.value_or(file.size) == file.size;
    };
    http::Exchange exchange(hub_.client(), std::move(request));
    exchange.receive_into(inlet, [&fits, &accepted](const http::Response& answer) { return accepted = fits(answer); });
    Result<http::Response> answer = co_await exchange.run(cancel);
    if (inlet.complete()) co_return Result<void>();
    if (!answer) co_return of_edge(answer.error(), link, slot);
    if (link.on_hub) hub_.pacer().note("resolvers", *answer);
    if (!http::is_redirect(answer->status)) co_return judge(file, *answer, accepted, link, slot);
    Result<Link> next = hub_.read_redirect(ref_, commit_, file, link.url, *answer);
    if (!next) co_return next.error();
    link = *next;
  }
  co_return Error(Kind::protocol, "the address of " + name_of(file) + " redirects too often");
}

/// One edge of the CDN may have a certificate that is not trusted while the next is fine; the Hub itself has no other
/// address.
Error FileSource::of_edge(Error error, const Link& link, Slot& slot) {
  if (link.on_hub || error.kind != Kind::usage) return error;
  slot.link.reset();
  error.kind = Kind::expired;
  return error;
}

/// What an answer means that did not bring all the bytes (contract hub §5.4).
Result<void> FileSource::judge(const FileEntry& file, const http::Response& answer, bool accepted, const Link& link,
                               Slot& slot) const {
  const int status = answer.status;
  if (status == 200 || status == 206) {
    slot.link.reset();
    if (accepted) return Error(Kind::network, "the answer ended before the file did");
    return Error(Kind::protocol, fmt::format("HTTP {} with other bytes than were asked for", status));
  }
  if (link.on_hub) return to_error(to_string(ref_) + "/" + printable(file.path), answer, hub_.has_token(), link.url);
  const bool stale = status == 400 || status == 401 || status == 403 || status == 404 || status == 410 || status == 416;
  if (stale) slot.link.reset();
  Error error = to_error(name_of(file), answer, false, link.url);
  if (stale) error.kind = Kind::expired;
  if (status == 503) error.kind = Kind::throttled;  // a balancer's word for too many connections (contract hub F.11.43)
  error.sentence = fmt::format("{} answered HTTP {} for {}", http::origin_of_text(link.url), status, name_of(file));
  return error;
}

}  // namespace hfpour::hub
