// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "http/client.h"
#include "hub/info.h"
#include "hub/link.h"
#include "hub/pacer.h"
#include "hub/repo_ref.h"
#include "hub/token.h"
#include "transfer/file_entry.h"
#include "transfer/observer.h"
#include "transfer/retrying.h"

namespace hfpour::hub {

/// Questions to the Hub: which commit, which files, where are a file's bytes. Follows redirects inside the Hub's own
/// origin, retries, keeps the rate limit; the token goes to that origin and nowhere else. Loop thread.
class HubClient {
 public:
  /// `endpoint` has no trailing slash and may have a path. Checked by `check_endpoint`.
  HubClient(http::Client& client, std::string endpoint, Token token, Observer& observer, Random& random,
            RetryPolicy patience, Progress& progress);

  /// `room`: bytes that the answer may take; 8 to 64 MiB do. Errors: those of `to_error` of `hub/errors.h`, `forbidden`
  /// for a disabled repository, `integrity` when a commit was asked for and another one is answered.
  Task<Result<RepoInfo>> info(RepoRef ref, Bytes room, CancelToken cancel);

  /// Every page of the listing of a commit; gives the files `keep` likes. Errors also: `protocol` for pages that go
  /// round in a circle or name a file twice, `usage` when those files take more than `room` bytes of memory.
  Task<Result<std::vector<FileEntry>>> list(RepoRef ref, std::string commit, std::function<bool(const FileEntry&)> keep,
                                            Bytes room, CancelToken cancel);

  /// Where the bytes of `file` are: a bare question, never with a range (contract hub §3.4). `past_caches`: what a
  /// proxy or mirror remembers is not good enough. Errors also: `integrity` when the Hub's headers disagree with the
  /// listing.
  Task<Result<Link>> resolve(const RepoRef& ref, const std::string& commit, const FileEntry& file, bool past_caches,
                             CancelToken cancel);

  /// Reads a redirect that came where bytes were expected, as `resolve` does.
  Result<Link> read_redirect(const RepoRef& ref, const std::string& commit, const FileEntry& file,
                             const std::string& url, const http::Response& answer) const;

  /// A GET of a link: with the token only if the link is on the Hub.
  http::Request request_for(const Link& link);

  http::Client& client() { return client_; }
  Pacer& pacer() { return pacer_; }
  Backoff new_backoff() { return Backoff(patience_, random_, client_.reactor().clock()); }
  bool has_token() const { return !token_.empty(); }
  /// Whether a request that was refused as this one may pass with another token, which is there now.
  bool has_newer_token(const http::Response& answer) { return answer.status == 401 && token_.reread(); }

  /// Reports the failure and waits as long as `backoff` says. Errors: the one given, when it is to be the last.
  Task<Result<void>> wait_after(Error error, std::string what, Backoff& backoff, CancelToken cancel) {
    return hfpour::wait_after(std::move(error), std::move(what), backoff,
                              Retrying{client_.reactor(), observer_, progress_}, cancel);
  }

 private:
  struct Question {
    std::string method;  ///< GET or HEAD
    std::string url;
    bool past_caches = false;
    Bytes longest = 0;  ///< of an answer's body
  };
  /// Asks until the Hub answers with 200, or, with `redirects_wanted`, with any status below 400.
  Task<Result<http::Response>> ask(Question question, std::string bucket, std::string what, bool redirects_wanted,
                                   CancelToken cancel);
  Result<std::string> next_hop(const std::string& url, const http::Response& answer) const;
  http::Request make_request(const Question& question);
  ResolveRequest resolve_request(const RepoRef& ref, const std::string& commit, const FileEntry& file,
                                 const std::string& url) const;

  http::Client& client_;
  std::string endpoint_;
  std::string origin_;
  Token token_;
  Observer& observer_;
  Random& random_;
  RetryPolicy patience_;
  Progress& progress_;
  Pacer pacer_;
  std::set<std::string> granted_;  ///< buckets (`api`, `resolvers`) in which the Hub has said yes to us
};

/// Checks `HF_ENDPOINT`: http or https, a host, no user info and no query; a trailing slash is taken off.
/// Errors: `usage`.
Result<std::string> check_endpoint(std::string_view endpoint);

}  // namespace hfpour::hub
