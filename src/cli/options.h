// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "cli/environment.h"

namespace hfpour::cli {

/// What the command line asks for.
enum class Action { run, help, version, cat, tar, put, gc };

/// What a part's bytes are compared with once the store has them.
enum class UploadCheck {
  md5,   ///< the ETag must be the MD5 of the part
  none,  ///< for stores whose ETag is something else
};

/// How the bucket stands in an address.
enum class Addressing { automatic, path, virtual_host };

inline constexpr Bytes default_memory = 256 * MiB;
inline constexpr Bytes min_memory = 32 * MiB;
inline constexpr Bytes max_memory = 1024 * GiB;
/// S3's own bounds of a part (Amazon S3 User Guide, "multipart upload limits").
inline constexpr Bytes min_part_size = 5 * MiB;
inline constexpr Bytes max_part_size = 5 * GiB;
/// More connections gained nothing at the measured edge (contract hub §3.9), and each lane needs four descriptors.
inline constexpr std::uint64_t max_lanes = 64;

/// Keys of the store.
struct Credentials {
  std::string access_key_id;
  Secret secret;
  Secret session_token;  ///< empty: none
};

/// The certificates to trust.
struct CaBundle {
  std::string path;    ///< empty: the system's own
  std::string origin;  ///< the flag or variable it came from, for messages
};

/// A range as it was asked for: `first-last`, `first-`, or the last `last` bytes when there is no `first`.
struct WantedRange {
  std::optional<Bytes> first;
  std::optional<Bytes> last;
};

/// Every setting of a run, with its default. A plain value.
///
/// Texts that mean something to the Hub or the store (repository, revision, bucket, prefix,
/// addresses, preset) are only checked to be free of control characters here; the adapters know
/// their rules.
struct Options {
  Action action = Action::run;
  std::optional<Action> help_for;  ///< with `help`: the command it was asked for

  /// `hf://…` as written, or the plain `owner/name` of `MODEL_NAME`; for `cat` also `s3://…`, for `put` a file or `-`.
  std::string source;
  /// `s3://bucket[/prefix/]` as written; empty when `bucket` and `prefix` say it.
  std::string destination;
  std::string bucket;  ///< from `S3_BUCKET`; empty when `destination` is given
  /// From `S3_PREFIX`, only with `bucket`; set but empty means none.
  std::string prefix = "models/";

  std::string endpoint_url;  ///< of the store
  std::string region;        ///< empty: learned from the store
  Addressing addressing = Addressing::automatic;
  CaBundle ca_bundle;        ///< for both sides
  CaBundle hub_ca_bundle;    ///< for the Hub's side instead, if it is named
  CaBundle store_ca_bundle;  ///< for the store's
  Credentials credentials;   ///< from the environment; empty: they are elsewhere, or nowhere
  std::string profile;       ///< asked for by name here; empty: nobody did
  Environment::Values aws;   ///< the variables of AWS' own tools, and `HOME`

  const CaBundle& hub_ca() const { return hub_ca_bundle.path.empty() ? ca_bundle : hub_ca_bundle; }
  const CaBundle& store_ca() const { return store_ca_bundle.path.empty() ? ca_bundle : store_ca_bundle; }

  std::string hub_endpoint = "https://huggingface.co";  ///< without a `/` at its end
  Secret hf_token;                                      ///< empty: anonymous
  std::string hf_token_file;                            ///< where it came from; empty: not from a file
  std::string revision;                                 ///< empty: what the source says, else the default branch

  std::optional<std::vector<std::string>> include;  ///< patterns; never an empty list
  /// Patterns; an empty list says "filter nothing", preset or not.
  std::optional<std::vector<std::string>> exclude;
  std::string preset;  ///< name of a ready-made selection; empty: the whole repository

  Bytes memory = 0;         ///< ceiling in bytes; 0: automatic, `default_memory` or what the cgroup allows
  std::uint64_t lanes = 0;  ///< 0: automatic
  Bytes part_size = 8 * MiB;
  UploadCheck upload_check = UploadCheck::md5;

  std::optional<WantedRange> range;                          ///< of `cat`
  std::optional<Bytes> expected_size;                        ///< of `put`
  std::chrono::seconds older_than = std::chrono::hours(24);  ///< of `gc`
  std::string sha256;                                        ///< of `put`; 64 lower-case hex digits, or empty

  std::chrono::seconds retry_for = std::chrono::minutes(5);  ///< without progress, until a failure is final

  std::chrono::seconds deadline{0};    ///< of the whole run; 0: none
  std::chrono::seconds lease_wait{0};  ///< for another run into the same place; 0: none is looked for
  std::chrono::seconds gc_after =
      std::chrono::hours(24);  ///< age from which on an upload that nobody claims is dropped

  bool refresh = false;  ///< ask the Hub even when the manifest says the model is there
  bool dry_run = false;
  bool json = false;     ///< the result on stdout as JSON
  bool quiet = false;    ///< only warnings and errors
  bool progress = true;  ///< live bar or periodic lines
  LogFormat log_format = LogFormat::text;
  std::string log_level = "info";

  std::string report;  ///< file for the run's report, `-` for stdout; empty: none
  /// Where the last words go, if that file is there: `HFPOUR_TERMINATION_LOG`, else Kubernetes' own.
  std::string termination_log;

  /// One sentence each, to be shown once, when the log is ready.
  std::vector<std::string> warnings;
};

/// Reads the command line (`argv[0]` is the program) and the environment; a flag wins over its
/// environment names, those over the default. Opens no file but the Hub token's.
///
/// `--help` and `--version` win over everything but a flag without its value; the other fields then
/// hold defaults.
/// Errors: `usage`, one sentence naming the value and the rule, or every missing setting at once.
Result<Options> read_options(std::span<const char* const> argv, const Environment& env);

}  // namespace hfpour::cli
