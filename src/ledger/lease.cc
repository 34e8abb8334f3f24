// SPDX-License-Identifier: MIT
#include "ledger/lease.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "loop/deadline.h"

namespace hfpour {
namespace {

constexpr std::string_view folder = ".hfpour/lease/";
constexpr std::size_t digits = 8;
constexpr Bytes longest_text = 4 * KiB;
// Contract s3 §6.3: a minute and a half at most, three writings in it.
constexpr Millis time_to_live{60'000};
constexpr Millis beat_interval{20'000};
constexpr Millis beat_deadline{15'000};
constexpr Millis beat_again{3'000};        ///< after one that failed
constexpr std::size_t most_removed = 100;  ///< of older leases at a time

std::string name_of(std::uint64_t number) {
  return fmt::format("{}{:0{}}", folder, number, digits);
}

/// 0 for what is no lease.
std::uint64_t number_of(std::string_view name) {
  if (!name.starts_with(folder) || name.size() != folder.size() + digits) return 0;
  return parse_decimal(name.substr(folder.size())).value_or(0);
}

std::string text_field(const nlohmann::json& object, const char* name) {
  const auto field = object.find(name);
  return field != object.end() && field->is_string() ? field->get<std::string>() : "";
}

}  // namespace

std::string write_lease(const LeaseText& lease, std::uint64_t beat) {
  return fmt::format(R"({{"owner": {}, "nonce": {}, "beat": {}, "released": {}}})"
                     "\n",
                     json_quote(lease.owner), json_quote(lease.nonce), beat, lease.released);
}

std::optional<LeaseText> read_lease(std::string_view text) {
  if (text.size() > longest_text) return std::nullopt;
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto released = object.find("released");
  const bool over = released != object.end() && released->is_boolean() && released->get<bool>();
  return LeaseText{printable(text_field(object, "owner"), 100), text_field(object, "nonce"), over};
}

Lease::Lease(Reactor& reactor, Store& store, Random& random, std::string owner) : reactor_(reactor), store_(store) {
  mine_.owner = std::move(owner);
  mine_.nonce = fmt::format("{:016x}{:016x}", random.word(), random.word());
}

/// The highest number there is, and its ETag; its text is not asked for.
Task<Result<Lease::Seen>> Lease::newest(CancelToken cancel) {
  Seen found;
  const auto look = [&found](const ListedObject& object) {
    const std::uint64_t number = number_of(object.name);
    if (number <= found.number) return;
    found.number = number;
    found.etag = object.etag;
  };
  Result<void> listed = co_await store_.list(folder, look, cancel);
  if (!listed) co_return listed.error();
  co_return found;
}

Task<Result<bool>> Lease::is_free(CancelToken cancel) {
  Result<Seen> found = co_await newest(cancel);
  if (!found) co_return found.error();
  const SteadyTime now = reactor_.clock().now();
  if (found->number != seen_.number || found->etag != seen_.etag) {
    seen_ = *std::move(found);
    seen_.since = now;
    if (seen_.number == 0) co_return true;
    const std::string name = name_of(seen_.number);
    Result<std::optional<std::string>> text = co_await store_.get(name, longest_text, cancel);
    if (!text && text.error().kind != Kind::protocol) co_return text.error();
    if (text && *text) seen_.text = read_lease(**text).value_or(LeaseText());
  }
  co_return seen_.number == 0 || seen_.text.released || now - seen_.since >= time_to_live;
}

Task<Result<Lease::Claim>> Lease::claim(CancelToken cancel) {
  number_ = seen_.number + 1;
  const std::string name = name_of(number_);
  const std::string text = write_lease(mine_, beat_);
  const SteadyTime begun = reactor_.clock().now();
  Result<Store::Created> made = co_await store_.create(name, text, cancel);
  if (!made && made.error().kind == Kind::forbidden) co_return Claim::unsupported;
  if (!made) co_return made.error();
  if (*made == Store::Created::unsupported) co_return Claim::unsupported;
  if (*made == Store::Created::exists) {
    // Another one's, or our own, whose answer was lost.
    Result<bool> mine = co_await is_mine(cancel);
    if (!mine) co_return mine.error();
    if (!*mine) co_return Claim::lost;
  }
  state_ = State::held;
  renewed_ = begun;
  if (*made == Store::Created::yes) {
    // Some stores take the condition and do not mind it.
    made = co_await store_.create(name, text, cancel);
    if (!made) co_return made.error();
    if (*made != Store::Created::exists) {
      state_ = State::none;
      const Result<void> removed = co_await store_.remove(name, cancel);
      (void)removed;  // not everybody may
      co_return Claim::unsupported;
    }
  }
  // Others may have come and gone since it was looked at, and the number may be an old one.
  Result<Seen> last = co_await newest(cancel);
  if (!last) co_return last.error();
  if (last->number > number_) {
    state_ = State::none;
    co_return Claim::lost;
  }
  co_return Claim::ours;
}

Task<Result<bool>> Lease::is_mine(CancelToken cancel) {
  const std::string name = name_of(number_);
  Result<std::optional<std::string>> text = co_await store_.get(name, longest_text, cancel);
  if (!text && text.error().kind != Kind::protocol) co_return text.error();
  if (!text || !*text) co_return false;
  const std::optional<LeaseText> there = read_lease(**text);
  co_return there && there->nonce == mine_.nonce;
}

Task<Result<void>> Lease::keep(CancelToken cancel) {
  {
    Deadline deadline(reactor_, beat_deadline, cancel);  // the first beat must not wait for it
    const Result<void> dropped = co_await drop_older(deadline.token());
    (void)dropped;  // they only lie there
  }
  Millis pause = beat_interval;
  while (true) {
    co_await reactor_.sleep(pause, cancel);
    if (cancel.cancelled()) co_return Result<void>();
    Deadline deadline(reactor_, beat_deadline, cancel);
    Result<void> renewed = co_await renew(deadline.token());
    if (lost()) co_return renewed;
    if (cancel.cancelled()) co_return Result<void>();
    if (!renewed && reactor_.clock().now() - renewed_ >= time_to_live) {
      state_ = State::lost;
      co_return Error(Kind::busy, "this run's lease could not be renewed in time: " + renewed.error().describe());
    }
    pause = renewed ? beat_interval : beat_again;
  }
}

Task<Result<void>> Lease::renew(CancelToken cancel) {
  Result<void> ours = co_await confirm(cancel);
  if (!ours) co_return ours;
  const SteadyTime begun = reactor_.clock().now();
  ++beat_;
  const std::string name = name_of(number_);
  Result<void> put = co_await store_.put(name, write_lease(mine_, beat_), cancel);
  if (put) renewed_ = begun;
  co_return put;
}

Task<Result<void>> Lease::confirm(CancelToken cancel) {
  Result<Seen> found = co_await newest(cancel);
  if (!found) co_return found.error();
  if (found->number <= number_) co_return Result<void>();
  state_ = State::lost;
  co_return Error(Kind::busy, "another run took over, since this one was not heard of for a minute");
}

Task<Result<void>> Lease::release(CancelToken cancel) {
  if (!held()) co_return Result<void>();
  mine_.released = true;
  state_ = State::none;
  ++beat_;
  const std::string name = name_of(number_);
  Result<void> put = co_await store_.put(name, write_lease(mine_, beat_), cancel);
  co_return put;
}

/// What earlier runs left.
Task<Result<void>> Lease::drop_older(CancelToken cancel) {
  std::vector<std::string> older;
  const auto look = [this, &older](const ListedObject& object) {
    const std::uint64_t number = number_of(object.name);
    if (number > 0 && number < number_ && older.size() < most_removed) older.push_back(object.name);
  };
  Result<void> listed = co_await store_.list(folder, look, cancel);
  if (!listed) co_return listed;
  for (const std::string& name : older) {
    Result<void> removed = co_await store_.remove(name, cancel);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

}  // namespace hfpour
