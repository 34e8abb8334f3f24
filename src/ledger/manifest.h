// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "transfer/file_entry.h"
#include "transfer/stored_file.h"
#include "transfer/unfinished.h"

namespace hfpour {

/// What a run was asked to bring: two runs with equal identity want the same objects.
struct Identity {
  std::string repository;  ///< as asked, `owner/name`
  std::string type;        ///< `model`, `dataset`, `space`
  std::string revision;    ///< as asked: branch, tag or commit
  std::string selection;   ///< the patterns in one line
  bool operator==(const Identity&) const = default;
};

/// One file that was stored and verified.
struct Record {
  FileEntry file;
  StoredFile stored;
};

/// The document that says "this place holds this commit" (`manifest.json`), or how far a run had come
/// (`checkpoint.json`). Files in ascending order of their paths.
struct Manifest {
  Identity identity;
  std::string commit;     ///< 40 hex
  bool complete = false;  ///< every selected file is recorded
  std::vector<Record> files;
  std::vector<UnfinishedFile> unfinished;  ///< only in a checkpoint; their paths are not among `files`

  /// The record of a path; null when there is none.
  const Record* find(std::string_view path) const;
};

/// JSON text of a manifest. Built as text, without a document tree: 100,000 files must not cost a gigabyte.
std::string write_manifest(const Manifest& manifest);

/// Reads what `write_manifest` wrote. Errors: `protocol` for damaged text, another schema, or a missing field; never a
/// half-read manifest.
Result<Manifest> read_manifest(std::string_view text);

}  // namespace hfpour
