// SPDX-License-Identifier: MIT
#include "hub/hub_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "http/headers.h"
#include "http/url.h"
#include "hub/errors.h"
#include "hub/tree.h"
#include "loop/deadline.h"

namespace hfpour::hub {
namespace {

constexpr Bytes longest_page = 8 * MiB;    ///< 1000 entries of 300 bytes are usual; names may have 1 KiB each
constexpr Bytes longest_info = 64 * MiB;   ///< it names every file (contract hub §1.2), without pages
constexpr std::size_t most_pages = 5'000;  ///< 5 million entries; the Hub advises 100,000 (contract hub §2.5)
constexpr Millis answer_limit{60'000};
constexpr unsigned most_hops = 10;  ///< contract hub §1.4
constexpr Bytes beside_path = 32;   ///< of a piece of memory, for its own keeping

}  // namespace

namespace {
constexpr std::string_view endpoint_setting = "the Hub's endpoint (--hub-endpoint or HF_ENDPOINT)";
}  // namespace

Result<std::string> check_endpoint(std::string_view endpoint) {
  while (endpoint.ends_with('/') && !endpoint.ends_with("://")) endpoint.remove_suffix(1);
  const Result<http::Url> url = http::parse_url(endpoint);
  if (!url) return url.error().at(endpoint_setting);
  if (endpoint.find_first_of("?#@") != std::string_view::npos) {
    return Error(Kind::usage, "'" + redact(endpoint) + "' must be plain: scheme, host and maybe a path")
        .at(endpoint_setting);
  }
  return std::string(endpoint);
}

HubClient::HubClient(http::Client& client, std::string endpoint, Token token, Observer& observer, Random& random,
                     RetryPolicy patience, Progress& progress)
    : client_(client),
      endpoint_(std::move(endpoint)),
      origin_(http::origin_of_text(endpoint_)),
      token_(std::move(token)),
      observer_(observer),
      random_(random),
      patience_(patience),
      progress_(progress),
      pacer_(client.reactor(), random) {
}

http::Request HubClient::make_request(const Question& question) {
  http::Request request{question.method, question.url, {}, ""};
  request.headers.add("Accept-Encoding", "identity");  // compressed answers lose length and ranges (contract hub §3.8)
  if (question.past_caches) request.headers.add("Cache-Control", "no-cache");
  const bool own = http::origin_of_text(request.url) == origin_;
  if (own && !token_.empty()) request.headers.add("Authorization", "Bearer " + token_.current().reveal());
  return request;
}

Task<Result<RepoInfo>> HubClient::info(RepoRef ref, Bytes room, CancelToken cancel) {
  Question question{"GET", endpoint_ + info_path(ref)};
  question.longest = std::clamp(room, longest_page, longest_info);
  Result<http::Response> answer = co_await ask(std::move(question), "api", to_string(ref), false, cancel);
  if (!answer) co_return answer.error();
  Result<RepoInfo> info = parse_info(answer->body);
  if (!info) co_return info.error().at("the Hub's answer about " + to_string(ref));
  if (is_commit(ref.revision) && info->commit != ref.revision) {
    co_return Error(Kind::integrity,
                    fmt::format("{}: the Hub answers with another commit, {}", to_string(ref), info->commit));
  }
  if (info->disabled) co_return Error(Kind::forbidden, to_string(ref) + " has been disabled by the Hub's staff");
  co_return info;
}

Task<Result<std::vector<FileEntry>>> HubClient::list(RepoRef ref, std::string commit,
                                                     std::function<bool(const FileEntry&)> keep, Bytes room,
                                                     CancelToken cancel) {
  std::vector<FileEntry> files;
  Bytes held = 0;
  std::set<std::string> visited;
  std::string url = endpoint_ + tree_path(ref, commit);
  while (!url.empty()) {
    if (!visited.insert(url).second || visited.size() > most_pages) {
      co_return Error(Kind::protocol, "the Hub's listing goes round in a circle");
    }
    Question question{"GET", url};
    question.longest = longest_page;
    Result<http::Response> answer = co_await ask(std::move(question), "api", to_string(ref), false, cancel);
    if (!answer) co_return answer.error();
    Result<std::vector<FileEntry>> page = parse_tree_page(answer->body);
    if (!page) co_return page.error().at("the listing of " + to_string(ref));
    for (FileEntry& file : *page) {
      if (!keep(file)) continue;
      held += 2 * sizeof(FileEntry) + file.path.size() + beside_path;  // the vector grows by doubling
      files.push_back(std::move(file));
    }
    if (held > room) {
      co_return Error(Kind::usage, fmt::format("{} has more than {} files, whose listing alone is too much for "
                                               "--memory: give more, or choose fewer with --include",
                                               to_string(ref), files.size()));
    }
    Result<std::optional<std::string>> next = http::parse_link(answer->headers.all("Link"), url);
    if (!next) co_return next.error().at("the listing of " + to_string(ref));
    url.clear();
    if (!next->has_value()) continue;
    // A mirror may name the real Hub here; the page is the same on the endpoint that was asked for (contract hub §2.2).
    const Result<http::Url> parsed = http::parse_url(**next);
    if (!parsed) co_return parsed.error().at("the next page of the listing");
    url = http::origin_of(*parsed) == origin_ ? at_endpoint(endpoint_, **next) : endpoint_ + parsed->path_and_query;
  }
  std::sort(files.begin(), files.end(), [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
  const auto twice = std::adjacent_find(files.begin(), files.end(),
                                        [](const FileEntry& a, const FileEntry& b) { return a.path == b.path; });
  if (twice != files.end()) {
    co_return Error(Kind::protocol, "the Hub's listing names '" + printable(twice->path) + "' twice");
  }
  co_return files;
}

ResolveRequest HubClient::resolve_request(const RepoRef& ref, const std::string& commit, const FileEntry& file,
                                          const std::string& url) const {
  ResolveRequest request;
  request.what = to_string(ref) + "/" + printable(file.path);
  request.url = url;
  request.hub_endpoint = endpoint_;
  request.commit = commit;
  request.size = file.size;
  request.hash = file.hash;
  request.with_token = !token_.empty();
  request.now = client_.reactor().clock().wall();
  return request;
}

Task<Result<Link>> HubClient::resolve(const RepoRef& ref, const std::string& commit, const FileEntry& file,
                                      bool past_caches, CancelToken cancel) {
  std::string url = endpoint_ + resolve_path(ref, commit, file.path);
  const std::string what = to_string(ref) + "/" + printable(file.path);
  for (unsigned hop = 0; hop < most_hops; ++hop) {
    Question question{"HEAD", url};
    question.past_caches = past_caches;
    Result<http::Response> answer = co_await ask(std::move(question), "resolvers", what, true, cancel);
    if (!answer && (answer.error().http_status == 405 || answer.error().http_status == 501)) {
      // No HEAD here: the GET of the bytes will meet the redirect instead.
      Link link;
      link.url = url;
      link.on_hub = http::origin_of_text(url) == origin_;
      link.bare_resolve = true;
      link.good_until = client_.reactor().clock().wall() + std::chrono::minutes(50);
      co_return link;
    }
    if (!answer) co_return answer.error();
    Result<Link> link = read_resolve_answer(resolve_request(ref, commit, file, url), *answer);
    if (!link || !link->ask_again) co_return link;
    if (!link->on_hub)
      co_return Error(Kind::usage, "the Hub sends on to " + redact(link->url) + "; set HF_ENDPOINT to use it");
    url = link->url;
  }
  co_return Error(Kind::protocol, what + " is redirected round in a circle");
}

Result<Link> HubClient::read_redirect(const RepoRef& ref, const std::string& commit, const FileEntry& file,
                                      const std::string& url, const http::Response& answer) const {
  return read_resolve_answer(resolve_request(ref, commit, file, url), answer);
}

http::Request HubClient::request_for(const Link& link) {
  return make_request(Question{"GET", link.url});
}

Task<Result<http::Response>> HubClient::ask(Question question, std::string bucket, std::string what,
                                            bool redirects_wanted, CancelToken cancel) {
  Backoff backoff = new_backoff();
  unsigned hops = 0;
  bool doubted = false;
  bool renewed = false;
  while (true) {
    co_await pacer_.turn(bucket, cancel);
    http::Request request = make_request(question);  // with the token of now: the wait may have been long
    // The leg's own limits end a silent answer; this one ends one that trickles.
    Deadline deadline(client_.reactor(), answer_limit, cancel,
                      Error(Kind::timeout, "the Hub did not finish its answer in a minute"));
    Result<http::Response> answer = co_await client_.fetch(std::move(request), question.longest, deadline.token());
    Error error;
    if (!answer) {
      error = answer.error();
    } else {
      pacer_.note(bucket, *answer);
      const bool redirect = http::is_redirect(answer->status);
      if (answer->status == 200 || (redirect && redirects_wanted)) {
        granted_.insert(bucket);
        co_return answer;
      }
      if (redirect && ++hops <= most_hops) {
        Result<std::string> next = next_hop(question.url, *answer);
        if (!next) co_return next.error();
        question.url = std::move(*next);
        continue;
      }
      // Somebody may have put a new token in the place of one that ran out.
      if (answer->status == 401 && !std::exchange(renewed, true) && has_newer_token(*answer)) continue;
      error = redirect ? Error(Kind::usage, what + " is redirected round in a circle")
                       : to_error(what, *answer, !token_.empty(), question.url);
      const int status = answer->status;
      // A server without HEAD will not learn it by waiting: `resolve` goes on with GET.
      if (question.method == "HEAD" && (status == 405 || status == 501)) co_return error;
      // Access that was granted a moment ago is asked for once more before its end is believed (contract hub §5.4).
      const bool withdrawn = (status == 401 || status == 403) && granted_.contains(bucket);
      if (withdrawn && !std::exchange(doubted, true)) error.kind = Kind::unavailable;
    }
    Result<void> again = co_await wait_after(std::move(error), what, backoff, cancel);
    if (!again) co_return again.error();
  }
}

Result<std::string> HubClient::next_hop(const std::string& url, const http::Response& answer) const {
  Result<std::string> next = http::resolve_reference(url, answer.headers.get("Location").value_or(""));
  if (!next) return next.error().at("a redirect of the Hub");
  if (http::origin_of_text(*next) == origin_) return at_endpoint(endpoint_, std::move(*next));
  return Error(Kind::usage, "the Hub sends on to " + http::origin_of_text(*next) + "; set HF_ENDPOINT to use it");
}

}  // namespace hfpour::hub
