// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <set>
#include <string>

#include "base/backoff.h"
#include "base/random.h"
#include "buffer/flow.h"
#include "http/client.h"
#include "s3/credentials.h"
#include "s3/errors.h"
#include "s3/location.h"
#include "s3/sigv4.h"
#include "transfer/observer.h"
#include "transfer/retrying.h"

namespace hfpour::http {
class RemoteSender;
}

namespace hfpour::s3 {

/// One call to the store, before it is signed.
struct Call {
  std::string operation;  ///< S3's name, such as `UploadPart`
  std::string method;
  std::string key;  ///< decoded; empty = the bucket itself
  Query query;
  http::Headers headers;  ///< besides those the signature makes
  std::string body;       ///< small; its SHA-256 is signed
  Bytes answer_limit = 64 * KiB;
};

/// Signed requests to one bucket, each with the keys that are good at its time. Learns the store's clock and region as
/// it goes. Loop thread.
class Bucket {
 public:
  Bucket(http::Client& client, Location location, KeySource& keys, Observer& observer, Random& random,
         RetryPolicy patience, Progress& progress)
      : client_(client),
        location_(std::move(location)),
        keys_(keys),
        observer_(observer),
        random_(random),
        patience_(patience),
        progress_(progress) {}

  /// Looks at the body of a success: one that cannot be read is asked for again.
  using Check = std::function<Result<void>(const http::Response&)>;

  /// Sends the call until it succeeds (2xx, and `check` likes it), fails for good, or the patience is used up. For
  /// calls that may be repeated. An `expired` upload is final here.
  Task<Result<http::Response>> call(Call call, CancelToken cancel, Check check = {});

  /// Sends the call once; a wrong clock or region and expired keys are mended and the call sent again if its body still
  /// can be. `outlet` is the body when it is not null: it is sent unsigned, since its hash is not known yet; over http
  /// as well, where the part's MD5 guards it instead. A success that comes before all of it was taken is `protocol`.
  Task<Result<http::Response>> once(const Call& call, Outlet* outlet, CancelToken cancel);

  /// Parts are sent by `sender` from now on; null: by the loop itself, as everything else is.
  void send_parts_by(http::RemoteSender* sender) { part_sender_ = sender; }

  /// Whether the head of a 206 tells of the bytes that are wanted.
  using Accept = std::function<bool(const http::Response&)>;

  /// Like `once`, for a ranged GET whose bytes go into `inlet`; only a 206 that `accept` likes is a success.
  Task<Result<http::Response>> receive(const Call& call, Inlet& inlet, CancelToken cancel, Accept accept = {});

  /// Reports the failure and waits as long as `backoff` says. Errors: the one given, when it is to be the last.
  Task<Result<void>> wait_after(Error error, std::string what, Backoff& backoff, CancelToken cancel) {
    return hfpour::wait_after(std::move(error), std::move(what), backoff,
                              Retrying{client_.reactor(), observer_, progress_}, cancel);
  }

  /// The time as the store counts it, as far as it is known.
  WallTime server_time() const { return client_.reactor().clock().wall() + clock_offset_; }
  Backoff new_backoff() { return Backoff(patience_, random_, client_.reactor().clock()); }
  std::string uri(std::string_view key) const { return location_.uri(key); }

 private:
  /// What a request was signed with; others may have learnt better while it was under way.
  struct Signing {
    std::string region;
    std::chrono::seconds clock_offset;
    Credentials keys;
  };

  Task<Result<http::Response>> exchange(const Call& call, Outlet* outlet, const Credentials& keys, CancelToken cancel);
  /// The call as it goes on the wire, with its body lent.
  http::Request sign_call(const Call& call, bool streamed, const Credentials& keys);
  bool mend(Remedy remedy, const http::Response& answer, const Signing& used);

  http::Client& client_;
  http::RemoteSender* part_sender_ = nullptr;
  Location location_;
  KeySource& keys_;
  Observer& observer_;
  Random& random_;
  RetryPolicy patience_;
  Progress& progress_;
  Signer signer_;
  std::chrono::seconds clock_offset_{0};
  std::set<std::string> unwanted_;  ///< optional header fields this store refuses, in lower case
};

}  // namespace hfpour::s3
