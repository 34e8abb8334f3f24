// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "http/client.h"
#include "keys/grant.h"
#include "keys/places.h"
#include "keys/profile.h"

namespace hfpour::keys {

/// The ways to the places that are asked over HTTP. The agent and the metadata are neighbours: never through a proxy,
/// and not waited for long.
struct Legs {
  http::Client& sts;
  http::Client& agent;     ///< of the container
  http::Client& metadata;  ///< of the instance
};

/// The pair from the environment: for ever, and the same each time.
class GivenIssuer final : public Issuer {
 public:
  explicit GivenIssuer(const s3::Credentials& given) : given_(given) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;
  bool renews() const override { return false; }

 private:
  const s3::Credentials& given_;
};

/// Who asks STS for the keys of which role.
struct WebIdentity {
  std::string role_arn;
  std::string token_file;
  std::string session_name;  ///< empty: `hfpour`
  std::string endpoint;      ///< of STS, without a `/` at its end
};

/// Keys for a token that somebody else, such as kubelet, keeps fresh in a file (IRSA). Sends nothing that is signed. Up
/// to five attempts. Errors: `forbidden` when STS refuses the token or the role, `usage` when the file cannot be read,
/// `unavailable`, `protocol` and those of `http::Exchange`. Source: contract s3, 5.
class WebIdentityIssuer final : public Issuer {
 public:
  WebIdentityIssuer(Legs legs, Random& random, WebIdentity identity)
      : legs_(legs), random_(random), identity_(std::move(identity)) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  Task<Result<Grant>> once(CancelToken cancel);
  Legs legs_;
  Random& random_;
  WebIdentity identity_;
};

/// Keys from the agent of EKS Pod Identity or ECS. Three attempts, a second apart, two seconds each. Errors: as
/// `WebIdentityIssuer`. Source: contract s3, 5.
class ContainerIssuer final : public Issuer {
 public:
  ContainerIssuer(Legs legs, const Places& places) : legs_(legs), places_(places) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  Task<Result<Grant>> once(CancelToken cancel);
  Legs legs_;
  const Places& places_;
};

/// Keys of the machine's role, by version 2 of the instance's metadata service. One attempt, a second a question.
/// Errors: `usage` with the sentence handed in when no such service is there or it has no role, `unavailable` when one
/// that has given keys before is silent; else as `WebIdentityIssuer`. Source: contract s3, 5.
class MetadataIssuer final : public Issuer {
 public:
  MetadataIssuer(Legs legs, std::string endpoint, std::string nothing_found)
      : legs_(legs), endpoint_(std::move(endpoint)), nothing_found_(std::move(nothing_found)) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  Task<Result<http::Response>> ask(http::Request request, CancelToken cancel);
  Error absent(std::string_view why) const { return Error(Kind::usage, nothing_found_ + " " + std::string(why)); }
  std::string who() const;
  Legs legs_;
  std::string endpoint_;
  std::string nothing_found_;
  bool found_ = false;  ///< it has given keys
};

/// What a profile gives: its own keys, or a web identity. Null when it has none of them and nobody asked for it.
/// Errors: `usage` for half a pair, and for a profile asked for that has only ways to keys that are not known here.
Result<std::unique_ptr<Issuer>> issuer_of(const Profile& profile, const Places& places, Legs legs, Random& random);

}  // namespace hfpour::keys
