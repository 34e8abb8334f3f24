// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "buffer/ring_pool.h"
#include "support/data.h"
#include "support/faulty_sink.h"
#include "support/faulty_source.h"
#include "support/memory_sink.h"
#include "support/memory_source.h"
#include "support/test_loop.h"
#include "transfer/job.h"
#include "transfer/resumption.h"
#include "transfer/services.h"

namespace hfpour::testing {

struct NotedFile {
  FileEntry file;
  StoredFile facts;
};

class NotedRecords final : public Records {
 public:
  void stored(const FileEntry& file, StoredFile facts) override { files.push_back(NotedFile{file, std::move(facts)}); }
  void advanced() override { ++advances; }
  unsigned advances = 0;
  std::vector<NotedFile> files;
};

class NotedObserver final : public Observer {
 public:
  void planned(const PlanFacts&) override {}
  void file_done(const FileFacts& file) override { done.push_back(file); }
  void file_failed(std::string_view path, const Error& error) override { failed.emplace_back(path, error); }
  void retrying(const RetryFacts& retry) override { retries.push_back(retry); }
  bool tracing() const override { return false; }
  void trace(std::string_view) override {}
  void remark(std::string_view sentence) override { remarks.emplace_back(sentence); }
  std::vector<FileFacts> done;
  std::vector<std::pair<std::string, Error>> failed;
  std::vector<RetryFacts> retries;
  std::vector<std::string> remarks;
};

/// Everything a job needs, in memory: a source and a sink that go wrong as told, a clock of its
/// own.
class PourBench {
 public:
  explicit PourBench(std::uint64_t seed = 1)
      : memory_source(loop.reactor, seed),
        memory_sink(loop.reactor, seed + 1000),
        random(seed),
        hashers(loop.reactor, 2, {.md5 = Millis(0), .pair = Millis(0)}) {  // nobody waits for company here
    services.patience.patience = Millis(200);
    services.patience.first = Millis(10);
    services.patience.cap = Millis(100);
  }

  /// A file that the source has and the job is to pour.
  const FileEntry& add(const std::string& path, const std::string& content, HashKind kind = HashKind::sha256) {
    memory_source.add(path, content);
    entries.push_back(std::make_unique<FileEntry>(entry_of(path, content, kind)));
    contents.push_back(content);
    progress.total_bytes += content.size();
    ++progress.total_files;
    return *entries.back();
  }

  /// Pours all files that were added, those in `left` from where they were.
  Result<void> pour(unsigned lanes, Bytes ring, Bytes part, CancelToken cancel = CancelToken()) {
    std::vector<const FileEntry*> files;
    for (const auto& entry : entries) files.push_back(entry.get());
    MemoryPlan plan;
    plan.lanes = lanes;
    plan.rings = rings == 0 ? lanes : rings;
    plan.ring_bytes = ring;
    Result<std::unique_ptr<RingPool>> pool = RingPool::make(plan.rings, ring);
    if (!pool) return pool.error();
    Resumption resumption(services, files, std::move(left), part);
    Result<Leftovers> known = loop.run(resumption.run(CancelToken()));
    if (!known) return known.error();
    Job job(services, files, plan, part, **pool, *std::move(known));
    Result<void> done = loop.run(job.run(cancel));
    left = job.unfinished();
    job.sample(0);
    for (const std::uint64_t count : progress.samples) lanes_busy_after += count;
    return done;
  }

  /// What must hold after every job, however it ended: nothing is left open that a later one could not go on with,
  /// nothing wrong was seen.
  bool tidy() const {
    std::set<std::string> open;
    std::set<std::string> claimed;
    for (const auto& [id, upload] : memory_sink.uploads) open.insert(id);
    for (const UnfinishedFile& one : left) claimed.insert(one.upload.upload_id);
    return open == claimed && memory_sink.wrong.empty() && memory_source.open() == 0 && lanes_busy_after == 0;
  }
  /// Every file is in the bucket and recorded, and the counters say so.
  bool all_there() const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto object = memory_sink.objects.find(entries[i]->path);
      if (object == memory_sink.objects.end() || object->second != contents[i]) return false;
    }
    return records.files.size() == entries.size() && observer.done.size() == entries.size() &&
           progress.stored_bytes == progress.total_bytes && progress.done_files == entries.size();
  }

  TestLoop loop;
  MemorySource memory_source;
  FaultySource source{memory_source};
  MemorySink memory_sink;
  FaultySink sink{memory_sink};
  NotedRecords records;
  NotedObserver observer;
  Progress progress;
  Random random;
  HashWorkers hashers;
  Pace pace{{64, 64}, observer, progress};
  Services services{loop.reactor, hashers, source, sink, records,      observer,
                    progress,     random,  pace,   true, RetryPolicy()};
  std::vector<std::unique_ptr<FileEntry>> entries;
  std::vector<std::string> contents;
  unsigned rings = 0;                  ///< 0: one for each lane
  std::vector<UnfinishedFile> left;    ///< what the last job left for another one
  std::uint64_t lanes_busy_after = 0;  ///< lanes that a finished job still calls busy
};

}  // namespace hfpour::testing
