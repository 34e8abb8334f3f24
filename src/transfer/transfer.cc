// SPDX-License-Identifier: MIT
#include "transfer/transfer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "loop/deadline.h"

namespace hfpour {
namespace {

/// Gives the bytes that lie in a ring from its beginning, and can do so again.
class RetainedOutlet final : public Outlet {
 public:
  RetainedOutlet(const Ring& ring, Bytes length) : ring_(ring), length_(length) {}

  Lent lend(Bytes ahead, Bytes limit) override {
    const ByteView bytes = ring_.view_at(given_ + ahead, std::min(limit, length_ - given_ - ahead));
    return bytes.empty() ? Lent{Kind::stop} : Lent{Kind::bytes, bytes};
  }
  void gave(ByteView bytes) override { xxh3_.update(bytes); }
  void passed(Bytes count) override { given_ += count; }
  Bytes length() const override { return length_; }
  bool rewind() override {
    given_ = 0;
    xxh3_ = Xxh3();
    return true;
  }
  void set_waker(Waker*) override {}
  Xxh3::Value finish() { return xxh3_.finish(); }

 private:
  const Ring& ring_;
  Bytes length_;
  Bytes given_ = 0;
  Xxh3 xxh3_;
};

}  // namespace

Transfer::Transfer(const Services& services, const FileEntry& entry, PartPlan plan)
    : services_(services), entry_(entry), plan_(plan), hash_(entry), parts_(std::max(1U, plan.count())) {
}

void Transfer::resume(const Unfinished& left) {
  const bool fits = left.parts.size() < plan_.count() && hash_.resume(left.hashed(), left.hash);
  assert(fits);
  if (!fits) return;
  upload_id_ = left.upload_id;
  for (unsigned number = 1; number <= left.parts.size(); ++number) {
    const HashedPart& known = left.parts[number - 1];
    PartState& part = parts_[number - 1];
    part.xxh3 = known.xxh3;
    part.received = true;
    if (known.etag.empty()) {
      missing_.push_back(number);
      continue;
    }
    part.etag = known.etag;
    if (const auto md5 = md5_in_etag(known.etag)) {
      const std::optional<std::vector<std::byte>> bytes = from_hex(*md5);
      std::copy(bytes->begin(), bytes->end(), part.md5.begin());
      part.summed = true;
    }
    resumed_ += plan_.range(number).size();
  }
  services_.progress.stored_bytes += resumed_;
  services_.progress.resumed_bytes += resumed_;
}

std::optional<Unfinished> Transfer::unfinished() const {
  if (upload_id_.empty()) return std::nullopt;
  Unfinished left{upload_id_, plan_.part_size, {}, hash_.marked().hash};
  const std::size_t count = hash_.marked().offset / plan_.part_size;
  for (std::size_t i = 0; i < count; ++i) left.parts.push_back(HashedPart{parts_[i].xxh3, parts_[i].etag});
  return left;
}

Task<Result<void>> Transfer::pour(ByteRange stripe, Lane& lane, CancelToken cancel) {
  Result<void> begun = co_await begin(cancel);
  if (!begun) co_return begun;
  UploadLuck luck = new_luck();
  Pass pass(services_, pass_file(), lane, stripe, Pass::Kind::first, luck);
  Result<void> passed = co_await pass.run(cancel);
  if (!passed) co_return passed;
  std::vector<unsigned> again = std::exchange(missing_, {});
  again.insert(again.end(), pass.failed_parts().begin(), pass.failed_parts().end());
  Result<void> repaired = co_await repair(std::move(again), lane, luck, cancel);
  co_return repaired;
}

/// The first stripe creates the upload, the others wait for it.
Task<Result<void>> Transfer::begin(CancelToken cancel) {
  while (beginning_ && !cancel.cancelled()) co_await begun_.wait(cancel);
  if (cancel.cancelled()) co_return cancel.error();
  if (begin_error_) co_return *begin_error_;
  if (!upload_id_.empty()) co_return Result<void>();
  beginning_ = true;
  // An answer that nobody waits for would leave an upload behind that nobody knows.
  Grace grace(services_.reactor, cancel, create_grace);
  Result<std::string> id = co_await services_.sink.create(entry_, grace.token());
  beginning_ = false;
  if (id) {
    upload_id_ = *id;
    services_.records.advanced();
  } else {
    begin_error_ = id.error();
  }
  begun_.notify();
  if (!id) co_return id.error();
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

/// Each failed part again, until all are stored or the luck of this stripe has run out, which the pass decides.
Task<Result<void>> Transfer::repair(std::vector<unsigned> numbers, Lane& lane, UploadLuck& luck, CancelToken cancel) {
  while (!numbers.empty()) {
    const unsigned number = numbers.back();
    numbers.pop_back();
    Pass pass(services_, pass_file(), lane, plan_.range(number), Pass::Kind::repair, luck);
    Result<void> passed = co_await pass.run(cancel);
    if (!passed) co_return passed;
    numbers.insert(numbers.end(), pass.failed_parts().begin(), pass.failed_parts().end());
  }
  co_return Result<void>();
}

Task<Result<StoredFile>> Transfer::finish(CancelToken cancel) {
  Result<void> same = hash_.verify();
  if (!same) co_return same.error();
  std::vector<PartReceipt> receipts;
  StoredFile stored;
  stored.part_size = plan_.part_size;
  for (unsigned number = 1; number <= plan_.count(); ++number) {
    const PartState& part = parts_[number - 1];
    if (part.etag.empty()) co_return Error(Kind::internal, fmt::format("part {} was never acknowledged", number));
    receipts.push_back(PartReceipt{number, part.etag});
    stored.xxh3.push_back(part.xxh3);
  }
  const std::string expected = expected_etag();
  Result<std::string> etag = co_await services_.sink.complete(entry_, upload_id_, receipts, expected, cancel);
  if (!etag) co_return etag.error();
  upload_id_.clear();
  stored.etag = *etag;
  co_return stored;
}

Task<Result<StoredFile>> Transfer::pour_whole(Lane& lane, CancelToken cancel) {
  lane.ring.reset();
  if (entry_.size > 0) {
    UploadLuck luck = new_luck();
    Pass pass(services_, pass_file(), lane, ByteRange{0, entry_.size}, Pass::Kind::retain, luck);
    Result<void> passed = co_await pass.run(cancel);
    if (!passed) co_return passed.error();
  }
  Result<void> same = hash_.verify();
  if (!same) co_return same.error();
  RetainedOutlet outlet(lane.ring, entry_.size);
  std::vector<std::byte> md5;
  // Whatever its ETags are, a store compares Content-MD5 before anything becomes visible (contract s3 §4.6).
  if (entry_.size > 0) md5.assign(parts_[0].md5.begin(), parts_[0].md5.end());
  Result<std::string> etag = co_await services_.sink.put_object(entry_, outlet, md5, cancel);
  if (!etag) co_return etag.error();
  if (entry_.size > 0 && outlet.finish() != parts_[0].xxh3) {
    co_return Error(Kind::internal, "the ring gave out other bytes than were put in");
  }
  services_.progress.stored_bytes += entry_.size;
  StoredFile stored;
  stored.etag = *etag;
  stored.xxh3.push_back(entry_.size > 0 ? parts_[0].xxh3 : Xxh3().finish());
  co_return stored;
}

Task<Result<StoredFile>> Transfer::check(Lane& lane, CancelToken cancel) {
  if (entry_.size > 0) {
    UploadLuck luck = new_luck();
    Pass pass(services_, pass_file(), lane, ByteRange{0, entry_.size}, Pass::Kind::check, luck);
    Result<void> passed = co_await pass.run(cancel);
    if (!passed) co_return passed.error();
  }
  Result<void> same = hash_.verify();
  if (!same) co_return same.error();
  StoredFile stored;
  stored.part_size = plan_.count() > 1 ? plan_.part_size : 0;
  for (const PartState& part : parts_) stored.xxh3.push_back(entry_.size > 0 ? part.xxh3 : Xxh3().finish());
  co_return stored;
}

Task<void> Transfer::abandon() {
  if (upload_id_.empty()) co_return;
  Deadline deadline(services_.reactor, abort_deadline, services_.last_call);
  Result<void> aborted = co_await services_.sink.abort(entry_, upload_id_, deadline.token());
  if (!aborted) {
    services_.observer.remark("the upload of '" + printable(entry_.path) + "' could not be dropped (" +
                              aborted.error().sentence + "); its id is " + printable(upload_id_));
  }
  upload_id_.clear();
  for (unsigned number = 1; number <= plan_.count(); ++number) {
    if (!parts_[number - 1].etag.empty()) services_.progress.stored_bytes -= plan_.range(number).size();
  }
  services_.progress.resumed_bytes -= std::exchange(resumed_, 0);
}

/// MD5 of the parts' MD5s and their number (contract s3 §4.3); empty for a store whose ETags are something else.
std::string Transfer::expected_etag() const {
  if (!services_.check_md5) return "";
  Md5 all;
  for (const PartState& part : parts_) {
    if (!md5_in_etag(part.etag)) return "";
    all.update(ByteView(part.md5));
  }
  return fmt::format("{}-{}", to_hex(ByteView(all.finish())), parts_.size());
}

}  // namespace hfpour
