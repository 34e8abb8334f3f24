// SPDX-License-Identifier: MIT
// OpenSSL's newer interface hides the state of a digest, and a run that was killed must be able to go on with it. The
// older one runs the same code on the same vector instructions.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest/digest.h"

#include <openssl/sha.h>
#if defined(HFPOUR_XXH_DISPATCH)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include <algorithm>
#include <cstring>
#include <span>

#include "digest/sha256_pair.h"

namespace hfpour {
namespace {

constexpr std::size_t length_size = 8;

template <class Integer>
void write_big_endian(Integer value, std::size_t size, std::vector<std::byte>& out) {
  for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
}

std::uint64_t read_big_endian(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

/// Bits fed so far, which both contexts keep in two halves.
template <class Context>
Bytes fed(const Context& context) {
  return ((static_cast<std::uint64_t>(context.Nh) << 32) | context.Nl) / 8;
}

template <class Context>
void set_fed(Context& context, Bytes bytes) {
  context.Nl = static_cast<SHA_LONG>(bytes * 8);
  context.Nh = static_cast<SHA_LONG>(bytes * 8 >> 32);
}

/// Fills up the block that was begun and gives what is left of `bytes`.
ByteView fill(SHA256_CTX& context, ByteView bytes) {
  const std::size_t room = context.num == 0 ? 0 : std::min<std::size_t>(bytes.size(), SHA256_CBLOCK - context.num);
  SHA256_Update(&context, bytes.data(), room);
  return bytes.subspan(room);
}

template <class Context>
Midstate save_state(const Context& context, std::span<const SHA_LONG> words) {
  Midstate saved;
  for (const SHA_LONG word : words) write_big_endian(word, sizeof word, saved);
  write_big_endian(fed(context), length_size, saved);
  const auto* const tail = reinterpret_cast<const std::byte*>(context.data);
  saved.insert(saved.end(), tail, tail + context.num);
  return saved;
}

/// Fills the words and gives the context its length and the block that is not full. False when the sizes do not fit.
template <class Context>
bool restore_state(Context& context, std::span<SHA_LONG> words, ByteView saved) {
  const std::size_t head = words.size_bytes() + length_size;
  if (saved.size() < head) return false;
  const std::uint64_t length = read_big_endian(saved.subspan(words.size_bytes(), length_size));
  const ByteView tail = saved.subspan(head);
  if (length >> 61 != 0 || tail.size() != length % SHA_CBLOCK) return false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = static_cast<SHA_LONG>(read_big_endian(saved.subspan(i * sizeof(SHA_LONG), sizeof(SHA_LONG))));
  }
  set_fed(context, length);
  context.num = static_cast<unsigned>(tail.size());
  std::memcpy(context.data, tail.data(), tail.size());
  return true;
}

}  // namespace

struct Digest::Context {
  explicit Context(DigestKind k) : kind(k) { begin(); }
  void begin() {
    if (kind == DigestKind::sha256) {
      SHA256_Init(&sha256);
    } else {
      SHA1_Init(&sha1);
    }
  }
  /// The words of SHA-1, which OpenSSL keeps one by one.
  std::array<SHA_LONG, 5> sha1_words() const { return {sha1.h0, sha1.h1, sha1.h2, sha1.h3, sha1.h4}; }

  DigestKind kind;
  union {
    SHA256_CTX sha256;
    SHA_CTX sha1;
  };
};

Digest::Digest(DigestKind kind) : context_(std::make_unique<Context>(kind)) {
}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::update(ByteView bytes) {
  if (context_->kind == DigestKind::sha256) {
    SHA256_Update(&context_->sha256, bytes.data(), bytes.size());
  } else {
    SHA1_Update(&context_->sha1, bytes.data(), bytes.size());
  }
}

bool Digest::pairs() const {
  static const bool here = has_sha256_pair();
  return here && context_->kind == DigestKind::sha256;
}

void Digest::update_pair(Digest& one, ByteView bytes, Digest& other, ByteView others_bytes) {
  SHA256_CTX& mine = one.context_->sha256;
  SHA256_CTX& others = other.context_->sha256;
  bytes = fill(mine, bytes);
  others_bytes = fill(others, others_bytes);
  const std::size_t blocks = std::min(bytes.size(), others_bytes.size()) / SHA256_CBLOCK;
  const std::size_t passed = blocks * SHA256_CBLOCK;
  take_sha256_pair({mine.h, others.h}, {bytes.data(), others_bytes.data()}, blocks);
  set_fed(mine, fed(mine) + passed);
  set_fed(others, fed(others) + passed);
  one.update(bytes.subspan(passed));
  other.update(others_bytes.subspan(passed));
}

std::vector<std::byte> Digest::finish() {
  const bool sha256 = context_->kind == DigestKind::sha256;
  std::vector<std::byte> value(sha256 ? SHA256_DIGEST_LENGTH : SHA_DIGEST_LENGTH);
  auto* const out = reinterpret_cast<unsigned char*>(value.data());
  if (sha256) {
    SHA256_Final(out, &context_->sha256);
  } else {
    SHA1_Final(out, &context_->sha1);
  }
  context_->begin();
  return value;
}

Bytes Digest::length() const {
  return context_->kind == DigestKind::sha256 ? fed(context_->sha256) : fed(context_->sha1);
}

Midstate Digest::save() const {
  if (context_->kind == DigestKind::sha256) return save_state(context_->sha256, context_->sha256.h);
  return save_state(context_->sha1, context_->sha1_words());
}

std::optional<Digest> Digest::restore(DigestKind kind, ByteView saved) {
  Digest digest(kind);
  Context& context = *digest.context_;
  if (kind == DigestKind::sha256) {
    if (!restore_state(context.sha256, context.sha256.h, saved)) return std::nullopt;
    return digest;
  }
  std::array<SHA_LONG, 5> words{};
  if (!restore_state(context.sha1, words, saved)) return std::nullopt;
  SHA_CTX& sha1 = context.sha1;
  sha1.h0 = words[0];
  sha1.h1 = words[1];
  sha1.h2 = words[2];
  sha1.h3 = words[3];
  sha1.h4 = words[4];
  return digest;
}

void Xxh3::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

Xxh3::Xxh3() : state_(XXH3_createState()) {
  XXH3_128bits_reset(state_.get());
}
Xxh3::Xxh3(Xxh3&&) noexcept = default;
Xxh3& Xxh3::operator=(Xxh3&&) noexcept = default;
Xxh3::~Xxh3() = default;

void Xxh3::update(ByteView bytes) {
#if defined(HFPOUR_XXH_DISPATCH)
  // The plain one knows SSE2 only; this one looks at the processor first. Same state, same digest.
  XXH3_128bits_update_dispatch(state_.get(), bytes.data(), bytes.size());
#else
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
#endif
}

Xxh3::Value Xxh3::finish() {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
  Value value;
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::byte>(canonical.digest[i]);
  XXH3_128bits_reset(state_.get());
  return value;
}

}  // namespace hfpour
