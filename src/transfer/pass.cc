// SPDX-License-Identifier: MIT
#include "transfer/pass.h"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/text.h"
#include "loop/task_group.h"
#include "transfer/memory_plan.h"

namespace hfpour {

namespace {
constexpr unsigned most_data_errors = 3;
constexpr Bytes hash_bite = usual_cell;  ///< what a hash worker is called for; small against the ring
/// What an upload that has caught up waits for: as much as libcurl takes at a time.
constexpr Bytes upload_bite = 64 * KiB;
}  // namespace

/// Puts chunks into the ring and takes the XXH3 of each part as it comes in.
class Pass::PartInlet final : public Inlet {
 public:
  explicit PartInlet(Pass& pass) : pass_(pass), at_(pass.range_.begin) {}

  Take take(ByteView bytes) override {
    if (bytes.size() > pass_.range_.end - at_ || pass_.inlet_error_) return Take::refused;
    if (!pass_.lane_.ring.write(bytes)) {
      pass_.lane_.ring.writer_waits();
      return Take::wait;
    }
    pass_.services_.progress.received_bytes += bytes.size();
    while (!bytes.empty()) {
      const unsigned number = pass_.file_.plan.number_at(at_);
      const Bytes end = pass_.file_.plan.range(number).end;
      const ByteView mine = bytes.first(std::min<Bytes>(bytes.size(), end - at_));
      xxh3_.update(mine);
      at_ += mine.size();
      bytes = bytes.subspan(mine.size());
      if (at_ < end) continue;
      const Result<void> noted = pass_.note_received(number, xxh3_.finish());
      if (!noted) pass_.inlet_error_ = noted.error();
    }
    return Take::all;
  }
  void set_waker(Waker* waker) override { pass_.lane_.ring.set_writer_waker(waker); }
  bool complete() const { return at_ == pass_.range_.end; }

 private:
  Pass& pass_;
  Bytes at_;
  Xxh3 xxh3_;
};

/// Gives one part's bytes out of the ring and takes their XXH3 as they leave.
class Pass::PartOutlet final : public Outlet {
 public:
  PartOutlet(Pass& pass, unsigned number)
      : pass_(pass), number_(number), length_(pass.file_.plan.range(number).size()) {}

  Lent lend(Bytes ahead, Bytes limit) override {
    Ring& ring = pass_.lane_.ring;
    const Bytes wanted = std::min({upload_bite, left() - ahead, std::max<Bytes>(ring.capacity() / 4, 1)});
    if (ring.available(Ring::Reader::upload) < ahead + wanted) {
      ring.upload_waits(ahead + wanted);
      return Lent{};
    }
    return Lent{Kind::bytes,
                ring.view_at(ring.position(Ring::Reader::upload) + ahead, std::min(limit, left() - ahead))};
  }
  void gave(ByteView bytes) override { xxh3_.update(bytes); }
  void passed(Bytes count) override {
    given_ += count;
    if (left() == 0) pass_.lane_.ring.set_upload_waker(nullptr);
    pass_.lane_.ring.advance(Ring::Reader::upload, count);
    if (left() == 0) pass_.part_given(number_);
  }
  Bytes length() const override { return length_; }
  bool rewind() override {
    if (given_ > 0) return false;
    xxh3_ = Xxh3();  // copies may have been made that have not passed
    return true;
  }
  void set_waker(Waker* waker) override {
    // A part that only awaits its answer must not touch the waker of the next one, whose bytes are leaving now.
    if (left() > 0) pass_.lane_.ring.set_upload_waker(waker);
  }

  Bytes left() const { return length_ - given_; }
  Xxh3::Value finish() { return xxh3_.finish(); }

 private:
  Pass& pass_;
  unsigned number_;
  Bytes length_;
  Bytes given_ = 0;
  Xxh3 xxh3_;
};

Pass::Pass(const Services& services, PassFile file, Lane& lane, ByteRange range, Kind kind, UploadLuck& luck)
    : services_(services), file_(file), lane_(lane), range_(range), kind_(kind), luck_(luck) {
}

Task<Result<void>> Pass::run(CancelToken cancel) {
  lane_.ring.reset(readers());
  TaskGroup group(services_.reactor.ready(), cancel);
  group.spawn(receive(group.token()));
  if (hashes()) group.spawn(hash_file(group.token()));
  if (sums()) group.spawn(sum_parts(group.token()));
  if (uploads()) group.spawn(send(group.token()));
  Result<void> joined = co_await group.join();
  co_return joined;
}

/// Whom the ring waits for. What is to stay in it is never taken by the upload.
std::vector<Ring::Reader> Pass::readers() const {
  std::vector<Ring::Reader> readers;
  if (hashes()) readers.push_back(Ring::Reader::hash);
  if (sums()) readers.push_back(Ring::Reader::sum);
  if (kind_ != Kind::check) readers.push_back(Ring::Reader::upload);
  return readers;
}

Task<Result<void>> Pass::receive(CancelToken cancel) {
  PartInlet inlet(*this);
  lane_.streaming = true;
  Result<void> streamed = co_await services_.source.stream(file_.entry, range_, inlet, cancel);
  lane_.streaming = false;
  if (inlet_error_) co_return *inlet_error_;
  if (!streamed) co_return streamed;
  if (!inlet.complete()) co_return Error(hfpour::Kind::internal, "the source ended early without saying so");
  co_return Result<void>();
}

/// Waits for a good bite, up to `left` bytes: small ones would cost more in going to a worker and back than in hashing.
Task<Result<void>> Pass::wait_for_bite(Ring::Reader reader, Bytes left, CancelToken cancel) {
  Ring& ring = lane_.ring;
  const Bytes wanted = std::min({hash_bite, left, std::max<Bytes>(ring.capacity() / 4, 1)});
  const auto enough = [&ring, reader, wanted] {
    return ring.available(reader) >= wanted || (ring.writer_waiting() && ring.available(reader) > 0);
  };
  while (!enough() && !cancel.cancelled()) co_await ring.readable(reader).wait(cancel);
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

Task<Result<void>> Pass::hash_file(CancelToken cancel) {
  Ring& ring = lane_.ring;
  for (Bytes at = range_.begin; at < range_.end;) {
    lane_.ahead = file_.hash.position() != at;
    Result<void> ours = co_await file_.hash.turn(at, cancel);
    lane_.ahead = false;
    if (!ours) co_return ours;
    const Bytes end = file_.plan.range(file_.plan.number_at(at)).end;
    Result<void> there = co_await wait_for_bite(Ring::Reader::hash, end - at, cancel);
    if (!there) co_return there;
    // All stripes wait for this one: what has come together since they do goes in one piece.
    const Bytes most = std::min(std::max(hash_bite, ring.capacity() / 4), end - at);
    const Bytes count = std::min(most, ring.available(Ring::Reader::hash));
    co_await services_.hashers.feed(ring.peek_all(Ring::Reader::hash, count), file_.hash.digest());
    at += count;
    ring.advance(Ring::Reader::hash, count);
    file_.hash.passed(count);
    if (at == end && at < file_.plan.size && uploads()) file_.hash.mark();
  }
  co_return Result<void>();
}

Task<Result<void>> Pass::sum_parts(CancelToken cancel) {
  Ring& ring = lane_.ring;
  const HashWorkers::Md5Stream stream(services_.hashers);
  Md5 md5;
  for (Bytes at = range_.begin; at < range_.end;) {
    const unsigned number = file_.plan.number_at(at);
    const Bytes end = file_.plan.range(number).end;
    Result<void> there = co_await wait_for_bite(Ring::Reader::sum, end - at, cancel);
    if (!there) co_return there;
    const ByteView bite = ring.peek(Ring::Reader::sum, std::min(hash_bite, end - at));
    co_await services_.hashers.feed(bite, md5);
    at += bite.size();
    ring.advance(Ring::Reader::sum, bite.size());
    if (at < end) continue;
    state(number).md5 = md5.finish();
    state(number).summed = true;
    part_summed_.notify();
  }
  co_return Result<void>();
}

Task<Result<void>> Pass::send(CancelToken cancel) {
  TaskGroup answers(services_.reactor.ready(), cancel);
  const unsigned last = file_.plan.number_at(range_.end - 1);
  for (unsigned number = file_.plan.number_at(range_.begin); number <= last; ++number) {
    Result<void> free = co_await wait_to_send(answers.token());
    if (!free) break;
    Result<void> allowed = co_await services_.pace.begin_upload(answers.token());
    if (!allowed) break;
    giving_ = number;
    ++under_way_;
    answers.spawn(send_part(number, answers.token()));
    while (giving_ == number && !answers.token().cancelled()) co_await part_given_.wait(answers.token());
  }
  Result<void> joined = co_await answers.join();
  if (joined && cancel.cancelled()) co_return cancel.error();
  co_return joined;
}

/// A store drops a request whose body pauses for long (contract s3 §4.2: 65 s at RGW), so none begins without bytes.
Task<Result<void>> Pass::wait_to_send(CancelToken cancel) {
  while (under_way_ >= uploads_per_lane && !cancel.cancelled()) co_await answered_.wait(cancel);
  const Millis pause = std::chrono::ceil<Millis>(luck_.not_before - services_.reactor.clock().now());
  co_await services_.reactor.sleep(pause, cancel);
  Ring& ring = lane_.ring;
  while (ring.available(Ring::Reader::upload) == 0 && !cancel.cancelled()) {
    co_await ring.readable(Ring::Reader::upload).wait(cancel);
  }
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

Task<Result<void>> Pass::send_part(unsigned number, CancelToken cancel) {
  PartOutlet outlet(*this, number);
  Result<PartReceipt> answer = co_await services_.sink.put_part(file_.entry, file_.upload_id, number, outlet, cancel);
  services_.pace.upload_ended();
  Result<void> judged = co_await judge(number, outlet, std::move(answer), cancel);
  --under_way_;
  answered_.notify();
  co_return judged;
}

Task<Result<void>> Pass::judge(unsigned number, PartOutlet& outlet, Result<PartReceipt> answer, CancelToken cancel) {
  if (!answer) {
    Result<void> noted = note_failure(number, answer.error());
    if (!noted) co_return noted;
    Result<void> discarded = co_await discard(outlet, cancel);
    co_return discarded;
  }
  if (inlet_error_) co_return *inlet_error_;  // known before the stream has ended, and the better explanation
  if (outlet.left() > 0) co_return Error(hfpour::Kind::internal, "the store answered before it had all bytes");
  PartState& part = state(number);
  if (outlet.finish() != part.xxh3) {
    co_return Error(hfpour::Kind::internal, name_of(number) + ": the ring gave out other bytes than were put in");
  }
  while (sums() && !part.summed) {
    if (cancel.cancelled()) co_return cancel.error();
    co_await part_summed_.wait(cancel);
  }
  const std::optional<std::string> etag = md5_in_etag(answer->etag);
  const std::string md5 = to_hex(ByteView(part.md5));
  // A 32-digit ETag is an MD5 everywhere but on encrypted and on odd stores; those are told by --upload-check none.
  if (services_.check_md5 && etag && *etag != md5) {
    Error differs(hfpour::Kind::protocol, "the store's ETag " + printable(answer->etag) +
                                              " is not the MD5 of what was sent, " + md5 +
                                              " (a store that encrypts needs --upload-check none)");
    co_return note_failure(number, std::move(differs));
  }
  part.etag = answer->etag;
  luck_.backoff.progress();
  services_.progress.stored_bytes += outlet.length();
  services_.records.advanced();
  co_return Result<void>();
}

/// The rest of a failed part leaves the ring unsent.
Task<Result<void>> Pass::discard(PartOutlet& outlet, CancelToken cancel) {
  Ring& ring = lane_.ring;
  while (outlet.left() > 0) {
    if (cancel.cancelled()) co_return cancel.error();
    const Bytes count = std::min(ring.available(Ring::Reader::upload), outlet.left());
    if (count > 0) {
      outlet.passed(count);
    } else {
      co_await ring.readable(Ring::Reader::upload).wait(cancel);
    }
  }
  co_return Result<void>();
}

Result<void> Pass::note_failure(unsigned number, Error error) {
  // An upload that is gone does not come back: only the whole file can be begun again.
  // Bytes that arrive wrong again and again are no accident either (contract s3 §4.11: three times, then fail).
  const bool upload_gone = error.kind == hfpour::Kind::expired;
  const bool hopeless = error.kind == hfpour::Kind::protocol && ++state(number).refusals >= most_data_errors;
  const std::optional<Millis> delay = upload_gone || hopeless ? std::nullopt : luck_.backoff.after(error);
  if (!delay) return error.at(name_of(number));
  luck_.not_before = std::max(luck_.not_before, services_.reactor.clock().now() + *delay);
  failed_.push_back(number);
  ++file_.retries;
  ++services_.progress.retries;
  if (error.kind == hfpour::Kind::throttled) ++services_.progress.throttled;
  services_.observer.retrying(RetryFacts{name_of(number), std::move(error), luck_.backoff.failures(), *delay});
  return {};
}

Result<void> Pass::note_received(unsigned number, const Xxh3::Value& value) {
  PartState& part = state(number);
  if (part.received && part.xxh3 != value) {
    return Error(hfpour::Kind::integrity, name_of(number) + ": other bytes came the second time");
  }
  part.received = true;
  part.xxh3 = value;
  return {};
}

void Pass::part_given(unsigned number) {
  if (giving_ == number) giving_ = 0;
  part_given_.notify();
}

std::string Pass::name_of(unsigned number) const {
  return fmt::format("part {} of '{}'", number, printable(file_.entry.path));
}

}  // namespace hfpour
