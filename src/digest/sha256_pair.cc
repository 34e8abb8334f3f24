// SPDX-License-Identifier: MIT
#include "digest/sha256_pair.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#include <utility>

namespace hfpour {
namespace {

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
alignas(16) constexpr std::array<std::uint32_t, 64> roots = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define HFPOUR_SHA [[gnu::target("sha,sse4.1,avx")]]

/// Four words; a type of the intrinsics' own cannot be in an array of the library.
using Quad = long long __attribute__((vector_size(16)));

/// One of the two: its words as the instructions want them, and sixteen words of its message.
struct Stream {
  Quad abef;
  Quad cdgh;
  std::array<Quad, 4> message;
};

__m128i* quad_at(const void* words) {
  return static_cast<__m128i*>(const_cast<void*>(words));
}

HFPOUR_SHA inline void begin(Stream& stream, const std::uint32_t* words) {
  const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(quad_at(words)), 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(quad_at(words + 4)), 0x1b);
  stream.abef = _mm_alignr_epi8(badc, efgh, 8);
  stream.cdgh = _mm_blend_epi16(efgh, badc, 0xf0);
}

HFPOUR_SHA inline void end(const Stream& stream, std::uint32_t* words) {
  const __m128i feba = _mm_shuffle_epi32(stream.abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(stream.cdgh, 0xb1);
  _mm_storeu_si128(quad_at(words), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(quad_at(words + 4), _mm_alignr_epi8(dchg, feba, 8));
}

HFPOUR_SHA inline void load(Stream& stream, const std::byte* block) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  for (std::size_t i = 0; i < 4; ++i) {
    stream.message[i] = _mm_shuffle_epi8(_mm_loadu_si128(quad_at(block + 16 * i)), big_endian);
  }
}

/// Four rounds, `Group` of sixteen, and the four words of the message that are needed sixteen rounds later.
template <std::size_t Group>
HFPOUR_SHA [[gnu::always_inline]] inline void four_rounds(Stream& stream) {
  std::array<Quad, 4>& message = stream.message;
  Quad& mine = message[Group % 4];
  const __m128i sum = _mm_add_epi32(mine, _mm_load_si128(quad_at(&roots[4 * Group])));
  stream.cdgh = _mm_sha256rnds2_epu32(stream.cdgh, stream.abef, sum);
  if constexpr (Group < 12) {
    const Quad& newest = message[(Group + 3) % 4];
    const __m128i nine_on = _mm_alignr_epi8(newest, message[(Group + 2) % 4], 4);
    const __m128i begun = _mm_sha256msg1_epu32(mine, message[(Group + 1) % 4]);
    mine = _mm_sha256msg2_epu32(_mm_add_epi32(begun, nine_on), newest);
  }
  stream.abef = _mm_sha256rnds2_epu32(stream.abef, stream.cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

template <std::size_t... Group>
HFPOUR_SHA [[gnu::always_inline]] inline void all_rounds(Stream& one, Stream& other, std::index_sequence<Group...>) {
  ((four_rounds<Group>(one), four_rounds<Group>(other)), ...);
}

}  // namespace

bool has_sha256_pair() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __builtin_cpu_supports("avx") && __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1 && (b & bit_SHA) != 0;
}

HFPOUR_SHA void take_sha256_pair(const std::array<std::uint32_t*, 2>& words,
                                 const std::array<const std::byte*, 2>& from, std::size_t count) {
  Stream one;
  Stream other;
  begin(one, words[0]);
  begin(other, words[1]);
  for (std::size_t block = 0; block < count; ++block) {
    const std::array<Quad, 4> before = {one.abef, one.cdgh, other.abef, other.cdgh};
    load(one, from[0] + 64 * block);
    load(other, from[1] + 64 * block);
    all_rounds(one, other, std::make_index_sequence<16>());
    one.abef = _mm_add_epi32(one.abef, before[0]);
    one.cdgh = _mm_add_epi32(one.cdgh, before[1]);
    other.abef = _mm_add_epi32(other.abef, before[2]);
    other.cdgh = _mm_add_epi32(other.cdgh, before[3]);
  }
  end(one, words[0]);
  end(other, words[1]);
}

}  // namespace hfpour

#else

#include <cstdlib>

namespace hfpour {

bool has_sha256_pair() {
  return false;
}

void take_sha256_pair(const std::array<std::uint32_t*, 2>&, const std::array<const std::byte*, 2>&, std::size_t) {
  std::abort();
}

}  // namespace hfpour

#endif
