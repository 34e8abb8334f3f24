// SPDX-License-Identifier: MIT
#pragma once

#include "http/client.h"
#include "keys/grant.h"
#include "keys/places.h"

namespace hfpour::keys {

/// Keys that never change: the environment's.
class FixedIssuer final : public Issuer {
 public:
  explicit FixedIssuer(s3::Credentials credentials) : grant_{std::move(credentials), {}} {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;
  bool renews() const override { return false; }

 private:
  Grant grant_;
};

/// What a web identity is exchanged for.
struct Role {
  std::string arn;
  std::string token_file;
  std::string session_name;  ///< empty: `hfpour`
};

/// AssumeRoleWithWebIdentity at a security token service: a token that kubelet wrote for keys of a role. Tried three times.
/// Errors: `usage` (token file), `forbidden`, `unavailable`, `protocol` and those of `http::Exchange`.
/// Source: contract s3, 5.
class WebIdentityIssuer final : public Issuer {
 public:
  WebIdentityIssuer(http::Client& client, std::string endpoint, Role role)
      : client_(client), endpoint_(std::move(endpoint)), role_(std::move(role)) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  http::Client& client_;
  std::string endpoint_;
  Role role_;
};

/// A container's agent, of ECS or of EKS Pod Identity. Tried three times, one second apart, two seconds each.
/// Errors: as `WebIdentityIssuer`. Source: contract s3, 5.
class ContainerIssuer final : public Issuer {
 public:
  /// `client` never uses a proxy.
  ContainerIssuer(http::Client& client, const Places& places) : client_(client), places_(places) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  http::Client& client_;
  const Places& places_;
};

/// The metadata service of a machine of AWS, version 2. Asked once, one second a question, since off AWS nobody answers.
/// Errors: `not_found` when no such service is there or it has no role; else as `WebIdentityIssuer`.
/// Source: contract s3, 5.
class MetadataIssuer final : public Issuer {
 public:
  /// `client` never uses a proxy.
  MetadataIssuer(http::Client& client, std::string endpoint) : client_(client), endpoint_(std::move(endpoint)) {}
  Task<Result<Grant>> fetch(CancelToken cancel) override;

 private:
  http::Client& client_;
  std::string endpoint_;
};

}  // namespace hfpour::keys
