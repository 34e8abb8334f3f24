// SPDX-License-Identifier: MIT
// The documents hfpour keeps in the bucket, where anybody may have written in them.
#include "ledger/manifest.h"

#include "base/text.h"
#include "harness.h"
#include "ledger/lease.h"

namespace hfpour::fuzz {
namespace {

bool equal(const Record& a, const Record& b) {
  return a.file.path == b.file.path && a.file.size == b.file.size && a.file.hash == b.file.hash &&
         a.stored.etag == b.stored.etag && a.stored.part_size == b.stored.part_size && a.stored.xxh3 == b.stored.xxh3;
}

void require_same_again(const Manifest& manifest) {
  const Result<Manifest> again = read_manifest(write_manifest(manifest));
  require(again.has_value(), "what is written can be read");
  require(
      again->identity == manifest.identity && again->commit == manifest.commit && again->complete == manifest.complete,
      "the head is the same");
  require(again->files.size() == manifest.files.size(), "no file is lost");
  for (const Record& record : manifest.files) {
    const Record* const found = again->find(record.file.path);
    require(found != nullptr && equal(*found, record), "each record is the same");
  }
  require(write_manifest(*again) == write_manifest(manifest), "so are the notes of unfinished files");
}

/// A manifest whose texts are the lines of the input.
Manifest made_of(const std::vector<std::string>& lines) {
  Manifest manifest{Identity{"me/model", "model", lines.front(), lines.back()}, std::string(40, 'c'), true, {}, {}};
  for (const std::string& line : lines) {
    const Record record{FileEntry{line, line.size(), ContentHash{}}, StoredFile{line, 1, {Xxh3::Value{}}}};
    if (manifest.files.empty() || manifest.files.back().file.path < line) manifest.files.push_back(record);
  }
  return manifest;
}

void require_same_lease_again(const LeaseText& lease) {
  const std::optional<LeaseText> again = read_lease(write_lease(lease, 7));
  require(again && again->nonce == lease.nonce && again->released == lease.released, "a lease is the same again");
}

}  // namespace

void take(std::string_view input) {
  const Result<Manifest> manifest = read_manifest(input);
  if (!manifest) require_fit_for_a_log(manifest.error());
  if (manifest) require_same_again(*manifest);
  const std::optional<LeaseText> lease = read_lease(input);
  if (lease && lease->nonce.size() < 500) require_same_lease_again(*lease);
  if (!input.empty() && is_utf8(input)) require_same_again(made_of(lines_of(input)));
}

}  // namespace hfpour::fuzz
