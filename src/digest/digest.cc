// SPDX-License-Identifier: MIT
#include "digest/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <cassert>

namespace hfpour {

void Digest::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Digest::Digest(DigestKind kind) : kind_(kind), context_(EVP_MD_CTX_new()) { begin(); }
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::begin() {
  const EVP_MD* const kind = kind_ == DigestKind::sha256 ? EVP_sha256() : EVP_sha1();
  const int good = EVP_DigestInit_ex(context_.get(), kind, nullptr);
  assert(good == 1);
  (void)good;
}

void Digest::update(ByteView bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::vector<std::byte> Digest::finish() {
  std::vector<std::byte> value(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(value.data()), &size);
  value.resize(size);
  begin();
  return value;
}

void Xxh3::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Xxh3::Xxh3() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }
Xxh3::Xxh3(Xxh3&&) noexcept = default;
Xxh3& Xxh3::operator=(Xxh3&&) noexcept = default;
Xxh3::~Xxh3() = default;

void Xxh3::update(ByteView bytes) { XXH3_128bits_update(state_.get(), bytes.data(), bytes.size()); }

Xxh3::Value Xxh3::finish() {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
  Value value;
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::byte>(canonical.digest[i]);
  XXH3_128bits_reset(state_.get());
  return value;
}

}  // namespace hfpour
