// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "buffer/ring_pool.h"
#include "digest/hash_workers.h"
#include "loop/task_group.h"
#include "pipe/descriptor.h"
#include "pipe/funnel_plan.h"
#include "transfer/observer.h"
#include "transfer/ordered_hash.h"
#include "transfer/sink.h"

namespace hfpour {

/// One stream of bytes, whose end nobody may know, into one object.
///
///     descriptor ──► part being filled ──► held parts: MD5, UploadPart, again if it failed ──► all there: Complete
///
/// A part begins to go up when it is full and is held until the store has acknowledged it: a pipe cannot be read twice,
/// and a producer may be slow, which no store would wait for. A stream that fits into one part is stored by one
/// request. The object becomes visible only after a clean end of the input, and after its size and its hash were right
/// where they are known. Loop thread.
class Funnel {
 public:
  struct Services {
    Reactor& reactor;
    HashWorkers& hashers;
    Descriptor& in;
    Sink& sink;
    Observer& observer;
    Progress& progress;
    Random& random;
  };
  struct Wishes {
    FunnelPlan plan;
    std::optional<Bytes> expected_size;  ///< the stream must have exactly this many bytes
    bool verify = false;                 ///< against the hash of the entry
    bool check_md5 = true;               ///< compare ETags with MD5s
    RetryPolicy patience;                ///< with each part
  };
  /// What lies in the bucket at the end.
  struct Stored {
    Bytes size = 0;
    unsigned parts = 0;  ///< 0: stored by one request
    std::string etag;
  };

  /// `entry.path` is the key; its size is found out. `services` outlive it.
  Funnel(const Services& services, FileEntry entry, Wishes wishes);
  ~Funnel();

  /// Errors: the descriptor's, the sink's; `integrity` for another size or hash; `quota` for a stream too long, with
  /// what to do; the token's. Nothing is left in the bucket then.
  Task<Result<Stored>> run(CancelToken cancel);

 private:
  /// The bytes of one part.
  struct Held {
    Bytes offset = 0;
    Bytes size = 0;
    std::unique_ptr<RingPool> memory;
    ByteView bytes() const { return ByteView(memory->storage(0)).first(size); }
  };

  Task<Result<Stored>> pour(CancelToken cancel);
  Task<Result<void>> read_part(CancelToken cancel);
  Result<std::unique_ptr<RingPool>> memory_for(Bytes size);
  bool has_room(Bytes size) const;
  Result<void> judge_size() const;
  Error too_long() const;
  Task<Result<Stored>> store_whole(CancelToken cancel);
  Task<Result<void>> begin(CancelToken cancel);
  Task<Result<void>> pour_parts(CancelToken cancel);
  Task<Result<void>> read_on(TaskGroup& uploads, CancelToken cancel);
  Task<Result<void>> upload(unsigned number, CancelToken cancel);
  Task<Result<void>> digest(unsigned number, CancelToken cancel);
  Task<Result<void>> send(unsigned number, CancelToken cancel);
  std::optional<Error> judge(unsigned number, const Result<PartReceipt>& answer) const;
  Task<Result<Stored>> complete(CancelToken cancel);
  Task<void> abandon();
  std::string expected_etag() const;
  std::string name_of(unsigned number) const;

  const Services& services_;
  FileEntry entry_;
  const Wishes wishes_;
  OrderedHash content_;
  std::map<unsigned, Held> held_;                 ///< being filled, or not yet acknowledged
  std::vector<std::unique_ptr<RingPool>> spare_;  ///< of parts that have gone
  Bytes in_use_ = 0;                              ///< of the budget
  Condition room_;
  bool ended_ = false;  ///< the input has
  Bytes total_ = 0;     ///< bytes read
  std::string upload_id_;
  std::vector<PartReceipt> receipts_;
  std::vector<Md5::Value> md5s_;
};

}  // namespace hfpour
