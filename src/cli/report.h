// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "cli/format.h"

namespace hfpour::cli {

/// The report of a run, one JSON object: `files`, each with what was done to it, then `run`, the outcome as `--json`
/// prints it. Files are written as they end and not kept, so that 100,000 of them take no memory. Loop thread.
///
/// A file that cannot be written to any more stops the report and nothing else; `finish` tells.
class Report {
 public:
  /// Opens (and empties) `name`; `-` is stdout. Errors: `usage`, naming the file and the reason.
  static Result<Report> open(const std::string& name);

  bool on_stdout() const { return file_.get() == stdout; }
  void add(const FileFacts& file);
  void add(std::string_view path, const Error& error);
  /// Ends the object. Errors: `internal`, when not everything was written.
  Result<void> finish(const Outcome& outcome);

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };
  Report(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {}
  void put(const std::string& entry);

  std::unique_ptr<std::FILE, Close> file_;
  std::string name_;
  bool any_ = false;
};

}  // namespace hfpour::cli
