// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "base/bytes.h"
#include "base/result.h"
#include "loop/condition.h"
#include "loop/reactor.h"

namespace hfpour {

/// One end of a pipe, a file, a terminal or a socket, used with blocking calls on a thread of its own.
///
/// Not polled on the loop: a regular file cannot be, and `O_NONBLOCK` belongs to the open description, which the shell
/// and the other programs of a pipeline share; it would be left behind after the end. A call that hangs is interrupted
/// with SIGURG, whose default is to be ignored. Create and use on the loop thread; one call at a time; destroy when
/// none is under way.
class Descriptor {
 public:
  /// `fd` stays the caller's. `name` is for messages, such as `stdout`.
  Descriptor(Reactor& reactor, int fd, std::string name);
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  /// Writes all of `bytes`. Errors: `reader_left` is true of the one that says so; `quota` for a full disk; `usage` for
  /// a descriptor that is closed; `internal` for other trouble of this machine; the token's.
  Task<Result<void>> write(ByteView bytes, CancelToken cancel);

  /// Fills `buffer`; fewer bytes than that, maybe none, mean the end of the input. Errors: as `write`; never an end
  /// that was none.
  Task<Result<Bytes>> fill(std::span<std::byte> buffer, CancelToken cancel);

 private:
  /// What the thread is to do, and how it went.
  struct Work {
    const std::byte* from = nullptr;  ///< to be written; else
    std::byte* into = nullptr;        ///< to be filled
    Bytes length = 0;
    Bytes done = 0;
    int error = 0;  ///< errno; ECANCELED when interrupted
  };

  Task<Result<Bytes>> perform(Work work, CancelToken cancel);
  void work();
  void carry_out(Work& work);
  void interrupt();
  Error explain(int number, bool writing) const;

  Reactor& reactor_;
  const int fd_;
  const std::string name_;
  std::optional<Work> finished_;
  Condition ended_;
  std::optional<Reactor::TimerId> again_;  ///< the next interruption, while one is going on
  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  struct {
    std::optional<Work> work;
    bool closing = false;
  } locked_;  ///< only under `mutex_`
  std::jthread thread_;
};

/// True of the error of a write to a pipe or socket that nobody reads any more.
bool reader_left(const Error& error);

}  // namespace hfpour
