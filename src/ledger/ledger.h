// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "ledger/manifest.h"
#include "loop/reactor.h"
#include "transfer/records.h"
#include "transfer/store.h"

namespace hfpour {

/// What the bucket remembers and what it holds, as found at the start of a run.
struct Found {
  std::optional<Manifest> manifest;
  std::optional<Manifest> checkpoint;
  std::vector<ListedObject> objects;  ///< ascending by name, state objects left out
  std::vector<std::string> remarks;   ///< such as "the manifest is damaged and is not used"

  /// The object of that name; null when there is none.
  const ListedObject* object(std::string_view name) const;
  /// True when the record's object is there with the recorded size and ETag.
  bool holds(const Record& record) const;
  /// The newest record of `file` that proves its bytes are in the bucket; null when there is none.
  const Record* proof(const FileEntry& file) const;
  /// True when the manifest or the checkpoint names the file, whatever it says of it.
  bool recorded(std::string_view path) const;
  /// True when the manifest says that everything `wanted` asks for is there, and the listing shows it.
  bool satisfies(const Identity& wanted) const;
};

/// Reads and writes the state objects below `.hfpour/`: the checkpoint as files and parts finish, the manifest last.
/// Loop thread.
class Ledger final : public Records {
 public:
  Ledger(Reactor& reactor, Store& store) : reactor_(reactor), store_(store) {}

  /// Reads the manifest, the checkpoint if the manifest does not do or is to be looked behind (`refresh`), and lists
  /// the objects. Errors: `usage` when the place belongs to a repository of another type; the store's.
  Task<Result<Found>> look(Identity wanted, bool refresh, CancelToken cancel);

  /// Begins the record of a run: `kept` are files that are already there, `left` what an earlier run had of others.
  void begin(Identity identity, std::string commit, std::vector<Record> kept, std::vector<UnfinishedFile> left);
  void stored(const FileEntry& file, StoredFile facts) override;
  void advanced() override { dirty_ = true; }
  /// From now on `look` says what is unfinished, whenever a checkpoint is written.
  void follow(std::function<std::vector<UnfinishedFile>()> look) { look_ = std::move(look); }
  /// What earlier runs have left of files that this one does not pour: kept beside, also when all is done.
  void set_aside(std::vector<UnfinishedFile> others);
  /// The end of `follow`: this is what is left.
  void rest(std::vector<UnfinishedFile> left);
  /// What is unfinished in uploads that no checkpoint in the bucket names: after a `save_checkpoint` that failed, or
  /// when there must not be one.
  std::vector<UnfinishedFile> unnoted() const;

  /// Writes the checkpoint now and then until cancelled. Trouble with it is no reason to stop: it is tried again.
  Task<Result<void>> keep_checkpoint(CancelToken cancel);
  /// Writes the checkpoint once, if something is new.
  Task<Result<void>> save_checkpoint(CancelToken cancel);
  /// All is done: writes the manifest, drops the checkpoint. After an error a checkpoint can be saved.
  Task<Result<void>> seal(CancelToken cancel);

 private:
  Task<Result<std::optional<Manifest>>> read(std::string_view name, std::vector<std::string>& remarks,
                                             CancelToken cancel);
  Task<Result<void>> drop_checkpoint(CancelToken cancel);
  /// Ids of the uploads that `current_` names.
  std::unordered_set<std::string> uploads() const;
  /// `ours` and what was set aside.
  void set_unfinished(std::vector<UnfinishedFile> ours);
  void sort_files();

  Reactor& reactor_;
  Store& store_;
  Manifest current_;
  std::function<std::vector<UnfinishedFile>()> look_;  ///< empty: `current_.unfinished` stands
  std::vector<UnfinishedFile> others_;
  std::unordered_set<std::string> noted_;  ///< ids of the uploads that the checkpoint in the bucket names
  bool dirty_ = false;
  bool written_ = false;  ///< there may be a checkpoint
  Millis writing_took_{0};
};

}  // namespace hfpour
