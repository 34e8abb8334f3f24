// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "transfer/file_entry.h"

namespace hfpour {

/// What a lane was waiting for when it was looked at.
enum class Limit {
  hub,     ///< bytes from the source
  hash,    ///< a digest, which takes one file's bytes in their order, on one core
  store,   ///< the store's acceptance
  memory,  ///< as `hub`, and more of it would have given more lanes
  cpu,     ///< the cores are full
};
inline constexpr std::size_t limit_count = 5;
/// How often each was seen.
using LimitSamples = std::array<std::uint64_t, limit_count>;

/// Running totals of a job; plain numbers, written by the core, sampled by whoever shows them. Loop thread.
struct Progress {
  Bytes total_bytes = 0;     ///< to be moved in this run
  Bytes received_bytes = 0;  ///< came from the source, fetched-again bytes included
  Bytes stored_bytes = 0;    ///< acknowledged by the store, each byte once
  std::uint64_t total_files = 0;
  std::uint64_t done_files = 0;
  std::uint64_t retries = 0;
  std::uint64_t throttled = 0;      ///< of `retries`: the other side asked to slow down
  std::uint64_t adopted_files = 0;  ///< of `done_files`: they lay there already and were found to be right
  Bytes adopted_bytes = 0;          ///< of `stored_bytes`
  Bytes resumed_bytes = 0;          ///< of `stored_bytes`: an earlier run had stored them
  LimitSamples samples{};           ///< of lanes, for "what limits this run"
};

/// What a job set out to do.
struct PlanFacts {
  std::uint64_t files = 0;          ///< selected
  Bytes bytes = 0;                  ///< of all selected files
  std::uint64_t present_files = 0;  ///< already in the bucket, proven by the ledger and a listing
  Bytes present_bytes = 0;
  std::string commit;  ///< 40 hex
  std::uint64_t lanes = 0;
  unsigned rings = 0;    ///< what their bytes are held in; fewer than lanes when those wait most of the time
  Bytes ring_bytes = 0;  ///< of each
};

/// One finished file.
struct FileFacts {
  std::string path;
  Bytes size = 0;
  std::chrono::milliseconds took{0};
  ContentHash hash;
  std::string etag;         ///< as the store gave it
  std::uint64_t parts = 0;  ///< 0: stored by one request
  std::uint64_t retries = 0;
  bool adopted = false;  ///< not moved: it lay in the bucket already, and its bytes are right
};

/// One attempt that failed and will be repeated.
struct RetryFacts {
  std::string what;  ///< such as `part 12 of model.safetensors`
  Error error;
  unsigned attempt = 0;  ///< the one that failed, from 1
  std::chrono::milliseconds delay{0};
};

/// Port: everything shown to a human or written into a report. All calls on the loop thread; none may block for long.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void planned(const PlanFacts& plan) = 0;
  virtual void file_done(const FileFacts& file) = 0;
  virtual void file_failed(std::string_view path, const Error& error) = 0;
  virtual void retrying(const RetryFacts& retry) = 0;
  /// True when somebody wants `trace`.
  virtual bool tracing() const = 0;
  /// One line about an exchange with the Hub or the store, for whoever looks for a fault. Holds no secret.
  virtual void trace(std::string_view line) = 0;
  /// A remark a person should read once, such as a quirk worked around.
  virtual void remark(std::string_view sentence) = 0;
};

}  // namespace hfpour
