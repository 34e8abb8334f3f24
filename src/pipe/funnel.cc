// SPDX-License-Identifier: MIT
#include "pipe/funnel.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "loop/deadline.h"
#include "transfer/part_state.h"
#include "transfer/retrying.h"

namespace hfpour {
namespace {

constexpr unsigned most_data_errors = 3;  ///< contract s3 §4.11: then it is no accident any more

/// Gives bytes that stay in memory, as often as it takes.
class HeldOutlet final : public Outlet {
 public:
  explicit HeldOutlet(ByteView bytes) : bytes_(bytes) {}

  Lent lend(Bytes ahead, Bytes limit) override {
    const ByteView left = bytes_.subspan(given_ + ahead);
    if (left.empty()) return Lent{Kind::stop};
    return Lent{Kind::bytes, left.first(std::min<Bytes>(limit, left.size()))};
  }
  void passed(Bytes count) override { given_ += count; }
  Bytes length() const override { return bytes_.size(); }
  bool rewind() override {
    given_ = 0;
    return true;
  }
  void set_waker(Waker*) override {}

 private:
  ByteView bytes_;
  std::size_t given_ = 0;
};

}  // namespace

Funnel::Funnel(const Services& services, FileEntry entry, Wishes wishes)
    : services_(services), entry_(std::move(entry)), wishes_(std::move(wishes)), content_(entry_) {
}

Funnel::~Funnel() = default;

Task<Result<Funnel::Stored>> Funnel::run(CancelToken cancel) {
  Result<Stored> stored = co_await pour(cancel);
  if (!stored) co_await abandon();
  co_return stored;
}

Task<Result<Funnel::Stored>> Funnel::pour(CancelToken cancel) {
  // Two parts, or the end before that: then it is known whether one request will do.
  while (!ended_ && held_.size() < 2) {
    Result<void> read = co_await read_part(cancel);
    if (!read) co_return read.error();
  }
  if (held_.size() < 2) {
    Result<Stored> stored = co_await store_whole(cancel);
    co_return stored;
  }
  Result<void> begun = co_await begin(cancel);
  if (!begun) co_return begun.error();
  Result<void> poured = co_await pour_parts(cancel);
  if (!poured) co_return poured.error();
  Result<Stored> stored = co_await complete(cancel);
  co_return stored;
}

// --- reading

/// Fills the next part; leaves none behind when the input has just ended.
Task<Result<void>> Funnel::read_part(CancelToken cancel) {
  const auto number = static_cast<unsigned>(receipts_.size() + 1);
  const bool one_too_many = number > wishes_.plan.limits.max_parts;
  const Bytes size = one_too_many ? 1 : wishes_.plan.part_size(number);
  while (!has_room(size)) {
    if (cancel.cancelled()) co_return cancel.error();
    co_await room_.wait(cancel);
  }
  Result<std::unique_ptr<RingPool>> memory = memory_for(size);
  if (!memory) co_return memory.error();
  Held part;
  part.offset = total_;
  part.memory = std::move(*memory);
  Result<Bytes> filled = co_await services_.in.fill(part.memory->storage(0), cancel);
  if (!filled) co_return filled.error();
  if (one_too_many && *filled > 0) co_return too_long();
  ended_ = *filled < size;
  total_ += *filled;
  Result<void> right = judge_size();
  if (!right) co_return right;
  services_.progress.received_bytes = total_;
  if (*filled == 0) co_return Result<void>();
  part.size = *filled;
  in_use_ += size;
  held_.emplace(number, std::move(part));
  receipts_.push_back(PartReceipt{number, ""});
  md5s_.emplace_back();
  co_return Result<void>();
}

/// That of a part that has gone, as long as parts do not grow: its pages need not be found and cleared again.
Result<std::unique_ptr<RingPool>> Funnel::memory_for(Bytes size) {
  if (spare_.empty() || spare_.back()->ring_bytes() != size) {
    spare_.clear();
    return RingPool::make(1, size);
  }
  std::unique_ptr<RingPool> memory = std::move(spare_.back());
  spare_.pop_back();
  return memory;
}

bool Funnel::has_room(Bytes size) const {
  const bool idle = upload_id_.empty() || held_.size() < wishes_.plan.uploads;
  return idle && in_use_ + size <= wishes_.plan.budget;
}

Result<void> Funnel::judge_size() const {
  if (!wishes_.expected_size) return {};
  const Bytes wanted = *wishes_.expected_size;
  if (total_ > wanted) {
    return Error(Kind::integrity, fmt::format("the input is longer than the {} bytes that were expected", wanted));
  }
  if (!ended_ || total_ == wanted) return {};
  return Error(Kind::integrity,
               fmt::format("the input ended after {} of the {} bytes that were expected", total_, wanted));
}

Error Funnel::too_long() const {
  const FunnelPlan& plan = wishes_.plan;
  return Error(
      Kind::quota,
      fmt::format("the input is longer than {}, all that {} parts of at most {} hold, and those are as "
                  "long as the memory allows: --memory {}Mi takes about twice as much",
                  format_bytes(total_), plan.limits.max_parts, format_bytes(plan.most_part), 2 * plan.ceiling / MiB));
}

// --- one request

Task<Result<Funnel::Stored>> Funnel::store_whole(CancelToken cancel) {
  if (held_.empty()) held_.emplace(1, Held());
  const Held& part = held_.begin()->second;
  const ByteView bytes = part.size > 0 ? part.bytes() : ByteView();
  Md5 md5;
  if (wishes_.check_md5) co_await services_.hashers.feed(bytes, md5);
  if (wishes_.verify) {
    co_await services_.hashers.feed(bytes, content_.digest());
    Result<void> same = content_.verify();
    if (!same) co_return same.error();
  }
  entry_.size = total_;
  HeldOutlet outlet(bytes);
  std::vector<std::byte> sum;
  if (wishes_.check_md5 && total_ > 0) {
    const Md5::Value value = md5.finish();
    sum.assign(value.begin(), value.end());
  }
  Result<std::string> etag = co_await services_.sink.put_object(entry_, outlet, sum, cancel);
  if (!etag) co_return etag.error();
  services_.progress.stored_bytes = total_;
  Stored stored;
  stored.size = total_;
  stored.etag = *etag;
  co_return stored;
}

// --- parts

Task<Result<void>> Funnel::begin(CancelToken cancel) {
  // An answer that nobody waits for would leave an upload behind that nobody knows.
  Grace grace(services_.reactor, cancel, create_grace);
  Result<std::string> id = co_await services_.sink.create(entry_, grace.token());
  if (!id) co_return id.error();
  upload_id_ = *id;
  if (cancel.cancelled()) co_return cancel.error();
  co_return Result<void>();
}

Task<Result<void>> Funnel::pour_parts(CancelToken cancel) {
  TaskGroup uploads(services_.reactor.ready(), cancel);
  uploads.spawn(upload(1, uploads.token()));
  uploads.spawn(upload(2, uploads.token()));
  // One of the group, so that its failure stops the uploads, and theirs stops the reading.
  uploads.spawn(read_on(uploads, uploads.token()));
  Result<void> joined = co_await uploads.join();
  co_return joined;
}

Task<Result<void>> Funnel::read_on(TaskGroup& uploads, CancelToken cancel) {
  while (!ended_) {
    const std::size_t before = receipts_.size();
    Result<void> read = co_await read_part(cancel);
    if (!read) co_return read;
    if (receipts_.size() > before) uploads.spawn(upload(static_cast<unsigned>(receipts_.size()), cancel));
  }
  co_return Result<void>();
}

Task<Result<void>> Funnel::upload(unsigned number, CancelToken cancel) {
  Result<void> digested = co_await digest(number, cancel);
  if (!digested) co_return digested;
  Result<void> sent = co_await send(number, cancel);
  if (!sent) co_return sent;
  const auto part = held_.find(number);
  services_.progress.stored_bytes += part->second.size;
  in_use_ -= part->second.memory->ring_bytes();
  spare_.push_back(std::move(part->second.memory));
  held_.erase(part);
  room_.notify();
  co_return Result<void>();
}

/// The MD5 of the part, which waits for no other; then, with a hash to be verified, that of the whole, in order.
Task<Result<void>> Funnel::digest(unsigned number, CancelToken cancel) {
  const Held& part = held_.at(number);
  if (wishes_.check_md5) {
    Md5 md5;
    co_await services_.hashers.feed(part.bytes(), md5);
    md5s_[number - 1] = md5.finish();
  }
  if (!wishes_.verify) co_return Result<void>();
  Result<void> ours = co_await content_.turn(part.offset, cancel);
  if (!ours) co_return ours;
  co_await services_.hashers.feed(part.bytes(), content_.digest());
  content_.passed(part.size);
  co_return Result<void>();
}

Task<Result<void>> Funnel::send(unsigned number, CancelToken cancel) {
  HeldOutlet outlet(held_.at(number).bytes());
  Backoff backoff(wishes_.patience, services_.random, services_.reactor.clock());
  unsigned data_errors = 0;
  while (true) {
    outlet.rewind();
    Result<PartReceipt> answer = co_await services_.sink.put_part(entry_, upload_id_, number, outlet, cancel);
    std::optional<Error> error = judge(number, answer);
    if (!error) {
      receipts_[number - 1].etag = answer->etag;
      co_return Result<void>();
    }
    // An upload that is gone does not come back, and bytes that arrive wrong again and again are no accident.
    const bool hopeless =
        error->kind == Kind::expired || (error->kind == Kind::protocol && ++data_errors >= most_data_errors);
    if (hopeless) co_return error->at(name_of(number));
    const Retrying whom{services_.reactor, services_.observer, services_.progress};
    Result<void> again = co_await wait_after(std::move(*error), name_of(number), backoff, whom, cancel);
    if (cancel.cancelled()) co_return cancel.error();
    if (!again) co_return again.error().at(name_of(number));
  }
}

/// What is wrong with the answer to a part; nothing for a receipt that can be relied on.
std::optional<Error> Funnel::judge(unsigned number, const Result<PartReceipt>& answer) const {
  if (!answer) return answer.error();
  const std::optional<std::string> etag = md5_in_etag(answer->etag);
  const std::string md5 = to_hex(ByteView(md5s_[number - 1]));
  if (!wishes_.check_md5 || !etag || *etag == md5) return std::nullopt;
  return Error(Kind::protocol, "the store's ETag " + printable(answer->etag) + " is not the MD5 of what was sent, " +
                                   md5 + " (a store that encrypts needs --upload-check none)");
}

// --- the end

Task<Result<Funnel::Stored>> Funnel::complete(CancelToken cancel) {
  if (wishes_.verify) {
    Result<void> same = content_.verify();
    if (!same) co_return same.error();
  }
  entry_.size = total_;
  Result<std::string> etag = co_await services_.sink.complete(entry_, upload_id_, receipts_, expected_etag(), cancel);
  if (!etag) co_return etag.error();
  upload_id_.clear();
  Stored stored;
  stored.size = total_;
  stored.parts = static_cast<unsigned>(receipts_.size());
  stored.etag = *etag;
  co_return stored;
}

Task<void> Funnel::abandon() {
  if (upload_id_.empty()) co_return;
  Deadline deadline(services_.reactor, abort_deadline);
  Result<void> aborted = co_await services_.sink.abort(entry_, upload_id_, deadline.token());
  if (aborted) co_return;
  services_.observer.remark("the upload of '" + printable(entry_.path) + "' could not be dropped (" +
                            aborted.error().sentence + "); its id is " + printable(upload_id_));
}

/// MD5 of the parts' MD5s and their number (contract s3 §4.3); empty for a store whose ETags are something else.
std::string Funnel::expected_etag() const {
  if (!wishes_.check_md5) return "";
  Md5 all;
  for (std::size_t i = 0; i < receipts_.size(); ++i) {
    if (!md5_in_etag(receipts_[i].etag)) return "";
    all.update(ByteView(md5s_[i]));
  }
  return fmt::format("{}-{}", to_hex(ByteView(all.finish())), receipts_.size());
}

std::string Funnel::name_of(unsigned number) const {
  return fmt::format("part {} of '{}'", number, printable(entry_.path));
}

}  // namespace hfpour
