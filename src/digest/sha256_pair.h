// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hfpour {

/// Whether this processor has the instructions for `take_sha256_pair`. Any thread.
bool has_sha256_pair();

/// Compresses `count` blocks of 64 bytes into each of two SHA-256 (FIPS 180-4, 6.2.2) that have nothing to do with each
/// other. The processor's SHA instructions wait for those before, so two streams side by side take about as long as
/// one; OpenSSL has no such call. `words`: the eight words of each; `from`: its blocks, of any alignment. Only where
/// `has_sha256_pair`. Any thread.
void take_sha256_pair(const std::array<std::uint32_t*, 2>& words, const std::array<const std::byte*, 2>& from,
                      std::size_t count);

}  // namespace hfpour
