// SPDX-License-Identifier: MIT
#include "digest/md5.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

namespace hfpour {
namespace {

static_assert(std::endian::native == std::endian::little, "MD5 counts in little-endian words");

/// One word of each of eight streams. The compiler makes of it what the machine has: two SSE2 or NEON registers, or one
/// of AVX2.
using Words = std::uint32_t __attribute__((vector_size(4 * Md5::width)));

/// Rotations of the four rounds, and for each round which word of the block a step takes: `step * stride + first` (RFC
/// 1321, 3.4).
constexpr std::array<std::array<int, 4>, 4> rotations = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};
constexpr std::array<std::size_t, 4> stride = {1, 5, 3, 7};
constexpr std::array<std::size_t, 4> first = {0, 1, 5, 0};
/// The integer part of 2^32 · |sin(step + 1)|.
constexpr std::array<std::uint32_t, 64> sines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

/// Step `I` on one word of one stream, or on one word of each. `state` is not moved round: the names of its words are.
template <std::size_t I, class Word>
[[gnu::always_inline]] inline void step(std::array<Word, 4>& state, const std::array<Word, 16>& words) {
  constexpr std::size_t round = I / 16;
  constexpr int turn = rotations[round][I % 4];
  Word& a = state[(64 - I) % 4];
  const Word& b = state[(65 - I) % 4];
  const Word& c = state[(66 - I) % 4];
  const Word& d = state[(67 - I) % 4];
  Word mixed = a + words[(I * stride[round] + first[round]) % 16] + sines[I];
  if constexpr (round == 0) mixed += d ^ (b & (c ^ d));
  if constexpr (round == 1) mixed += c ^ (d & (b ^ c));
  if constexpr (round == 2) mixed += b ^ c ^ d;
  if constexpr (round == 3) mixed += c ^ (b | ~d);
  a = b + ((mixed << turn) | (mixed >> (32 - turn)));
}

template <class Word, std::size_t... I>
[[gnu::always_inline]] inline void compress(std::array<Word, 4>& state, const std::array<Word, 16>& words,
                                            std::index_sequence<I...>) {
  std::array<Word, 4> next = state;
  (step<I>(next, words), ...);
  for (std::size_t i = 0; i < 4; ++i) state[i] += next[i];
}

std::uint32_t word_at(const std::byte* from) {
  std::uint32_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

using Streams = std::array<const std::byte*, Md5::width>;

template <int... I>
[[gnu::always_inline]] inline void shuffle(const Words& a, const Words& b, Words& into) {
  into = __builtin_shufflevector(a, b, I...);
}

/// Eight words of each of eight streams, from `at` on: what came stream by stream leaves word by word. Pairs of words
/// change places, then pairs of pairs, then halves: good where a register holds eight words.
[[gnu::always_inline]] inline void shuffle_in(const Streams& from, std::size_t at, Words* words) {
  std::array<Words, 8> rows;
  for (std::size_t i = 0; i < 8; ++i) std::memcpy(&rows[i], from[i] + at, sizeof rows[i]);
  std::array<Words, 8> pairs;
  for (std::size_t i = 0; i < 8; i += 2) {
    shuffle<0, 8, 1, 9, 4, 12, 5, 13>(rows[i], rows[i + 1], pairs[i]);
    shuffle<2, 10, 3, 11, 6, 14, 7, 15>(rows[i], rows[i + 1], pairs[i + 1]);
  }
  std::array<Words, 8> fours;
  for (std::size_t i = 0; i < 8; i += 4) {
    shuffle<0, 1, 8, 9, 4, 5, 12, 13>(pairs[i], pairs[i + 2], fours[i]);
    shuffle<2, 3, 10, 11, 6, 7, 14, 15>(pairs[i], pairs[i + 2], fours[i + 1]);
    shuffle<0, 1, 8, 9, 4, 5, 12, 13>(pairs[i + 1], pairs[i + 3], fours[i + 2]);
    shuffle<2, 3, 10, 11, 6, 7, 14, 15>(pairs[i + 1], pairs[i + 3], fours[i + 3]);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    shuffle<0, 1, 2, 3, 8, 9, 10, 11>(fours[i], fours[i + 4], words[i]);
    shuffle<4, 5, 6, 7, 12, 13, 14, 15>(fours[i], fours[i + 4], words[i + 4]);
  }
}

/// The same word by word, for registers that are shorter.
[[gnu::always_inline]] inline void gather(const Streams& from, std::size_t at, Words* words) {
  for (std::size_t i = 0; i < 8; ++i) {
    std::array<std::uint32_t, Md5::width> column;
    for (std::size_t lane = 0; lane < Md5::width; ++lane) column[lane] = word_at(from[lane] + at + 4 * i);
    std::memcpy(&words[i], column.data(), sizeof column);
  }
}

/// `count` blocks of eight streams. The longest loop of the program.
template <bool LongRegisters>
[[gnu::always_inline]] inline void take_abreast(std::array<Words, 4>& state, const Streams& from, std::size_t count) {
  for (std::size_t at = 0; at < count * 64; at += 64) {
    std::array<Words, 16> words;
    for (std::size_t half = 0; half < 2; ++half) {
      if constexpr (LongRegisters) {
        shuffle_in(from, at + 32 * half, words.data() + 8 * half);
      } else {
        gather(from, at + 32 * half, words.data() + 8 * half);
      }
    }
    compress(state, words, std::make_index_sequence<64>());
  }
}

using Abreast = void (*)(std::array<Words, 4>&, const Streams&, std::size_t);

void take_plain(std::array<Words, 4>& state, const Streams& from, std::size_t count) {
  take_abreast<false>(state, from, count);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void take_avx2(std::array<Words, 4>& state, const Streams& from, std::size_t count) {
  take_abreast<true>(state, from, count);
}

[[gnu::target("avx512f,avx512vl")]] void take_avx512(std::array<Words, 4>& state, const Streams& from,
                                                     std::size_t count) {
  take_abreast<true>(state, from, count);
}
#endif

/// The same code for what this processor has.
Abreast abreast_here() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl")) return &take_avx512;
  if (__builtin_cpu_supports("avx2")) return &take_avx2;
#endif
  return &take_plain;
}

}  // namespace

void Md5::take_blocks(const std::byte* from, std::size_t count) {
  for (std::size_t at = 0; at < count * block; at += block) {
    std::array<std::uint32_t, 16> words;
    for (std::size_t i = 0; i < 16; ++i) words[i] = word_at(from + at + 4 * i);
    compress(state_, words, std::make_index_sequence<64>());
  }
}

/// Fills up the block that was begun and gives what is left of `bytes`.
ByteView Md5::fill(ByteView bytes) {
  if (held() == 0) return bytes;
  const std::size_t count = std::min(bytes.size(), block - held());
  std::ranges::copy(bytes.first(count), rest_.begin() + static_cast<std::ptrdiff_t>(held()));
  length_ += count;
  if (held() == 0) take_blocks(rest_.data(), 1);
  return bytes.subspan(count);
}

/// Keeps less than a block for the next time.
void Md5::keep(ByteView bytes) {
  std::ranges::copy(bytes, rest_.begin() + static_cast<std::ptrdiff_t>(held()));
  length_ += bytes.size();
}

void Md5::update(ByteView bytes) {
  bytes = fill(bytes);
  const std::size_t whole = bytes.size() / block;
  take_blocks(bytes.data(), whole);
  length_ += whole * block;
  keep(bytes.subspan(whole * block));
}

/// As many blocks as the shortest of the pieces that still have one; false when at most one piece has.
bool Md5::take_blocks_abreast(std::span<Feed> feeds) {
  std::array<Feed*, width> lanes{};
  std::size_t used = 0;
  std::size_t count = SIZE_MAX;
  for (Feed& feed : feeds) {
    if (feed.bytes.size() < block) continue;
    lanes[used++] = &feed;
    count = std::min(count, feed.bytes.size() / block);
  }
  if (used < 2) return false;
  std::array<Words, 4> state{};
  Streams from;
  for (std::size_t lane = 0; lane < width; ++lane) {
    from[lane] = lanes[std::min(lane, used - 1)]->bytes.data();  // lanes without a stream compute for nobody
    if (lane >= used) continue;
    for (std::size_t i = 0; i < 4; ++i) state[i][lane] = lanes[lane]->digest->state_[i];
  }
  static const Abreast take = abreast_here();
  take(state, from, count);
  for (std::size_t lane = 0; lane < used; ++lane) {
    Feed& feed = *lanes[lane];
    for (std::size_t i = 0; i < 4; ++i) feed.digest->state_[i] = state[i][lane];
    feed.digest->length_ += count * block;
    feed.bytes = feed.bytes.subspan(count * block);
  }
  return true;
}

void Md5::update_abreast(std::span<Feed> feeds) {
  assert(feeds.size() <= width);
  for (Feed& feed : feeds) feed.bytes = feed.digest->fill(feed.bytes);
  while (take_blocks_abreast(feeds)) continue;
  for (Feed& feed : feeds) feed.digest->update(feed.bytes);
}

Md5::Value Md5::finish() {
  const std::uint64_t bits = length_ * 8;
  const std::array<std::byte, block> padding = {std::byte(0x80)};
  const std::size_t room = held() < 56 ? 56 - held() : 120 - held();
  update(ByteView(padding).first(room));
  std::array<std::byte, 8> tail;
  std::memcpy(tail.data(), &bits, sizeof bits);
  update(tail);
  Value value;
  std::memcpy(value.data(), state_.data(), value.size());
  *this = Md5();
  return value;
}

}  // namespace hfpour
