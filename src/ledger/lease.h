// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "loop/reactor.h"
#include "transfer/store.h"

namespace hfpour {

/// What a lease's object says.
struct LeaseText {
  std::string owner;      ///< host and process, for people
  std::string nonce;      ///< drawn anew by each run
  bool released = false;  ///< its holder has ended
};

/// As it is stored; `beat` makes each writing of it another one.
std::string write_lease(const LeaseText& lease, std::uint64_t beat);
/// Nothing when it is no lease: such an object still counts, until it has not changed for long enough.
std::optional<LeaseText> read_lease(std::string_view text);

/// The right to pour into a place, so that of several runs one does it and the others wait for it (contract s3 §6.3).
///
/// A lease is an object `.hfpour/lease/NNNNNNNN`, created only if it is not there; the highest number counts. Its
/// holder writes it again every 20 s. One that has not changed for 60 s by the reader's own clock belongs to nobody any
/// more: no two machines' clocks are compared. It saves traffic, and is not what keeps objects right: whoever loses a
/// lease without noticing stores the same bytes as everybody else. Loop thread.
class Lease {
 public:
  /// `owner`: host and process, for people.
  Lease(Reactor& reactor, Store& store, Random& random, std::string owner);

  /// Looks who has the place: true when nobody has. Errors: the store's.
  Task<Result<bool>> is_free(CancelToken cancel);
  /// True when somebody has had the place before.
  bool was_taken() const { return seen_.number > 0; }
  /// Who had it when it was looked at last; empty when that is not known.
  const std::string& holder() const { return seen_.text.owner; }

  enum class Claim {
    ours,
    lost,         ///< another run was faster
    unsupported,  ///< the store has no "only if it is not there", or nobody may write there
  };
  /// Tries to take the place that was found free. Errors: the store's; it may be held all the same, and be given back.
  Task<Result<Claim>> claim(CancelToken cancel);
  bool held() const { return state_ == State::held; }
  bool lost() const { return state_ == State::lost; }

  /// Renews what is held until cancelled. Errors: `busy` when another run took over, or could have.
  Task<Result<void>> keep(CancelToken cancel);
  /// Asks the store whether it is still held. Errors: `busy`; the store's.
  Task<Result<void>> confirm(CancelToken cancel);
  /// Tells the others that they need not wait any longer. Does nothing when nothing is held.
  Task<Result<void>> release(CancelToken cancel);

 private:
  enum class State { none, held, lost };
  /// The newest lease as it was seen last.
  struct Seen {
    std::uint64_t number = 0;  ///< 0: there is none
    std::string etag;
    LeaseText text;
    SteadyTime since{};
  };

  Task<Result<Seen>> newest(CancelToken cancel);
  Task<Result<bool>> is_mine(CancelToken cancel);
  Task<Result<void>> renew(CancelToken cancel);
  Task<Result<void>> drop_older(CancelToken cancel);

  Reactor& reactor_;
  Store& store_;
  LeaseText mine_;
  State state_ = State::none;
  std::uint64_t number_ = 0;  ///< of ours
  std::uint64_t beat_ = 0;
  SteadyTime renewed_{};
  Seen seen_;
};

}  // namespace hfpour
