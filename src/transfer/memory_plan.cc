// SPDX-License-Identifier: MIT
#include "transfer/memory_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace hfpour {
namespace {

// One exchange costs libcurl two buffers of 64 KiB and OpenSSL about 50 KiB; a lane has one download and
// `uploads_per_lane` uploads. What malloc holds on to besides was measured with scripts/bench (peak against plan).
constexpr Bytes user_space_per_lane = (1 + uploads_per_lane) * (128 + 56) * KiB;
constexpr Bytes reserve = 4 * MiB;  ///< headers, listings in flight, fragmentation
constexpr unsigned most_lanes = 64;      // contract hub §3.9: 32 to 64 connections fill 10 Gbit/s
constexpr unsigned default_lanes = 32;
constexpr Bytes shortest_ring = 1 * MiB;
constexpr Bytes usual_ring = 2 * MiB;

struct Buffers {
  Bytes receive;
  Bytes send;
};
// From generous to thrifty. The kernel charges up to twice what is asked for (socket(7), SO_RCVBUF).
constexpr std::array<Buffers, 3> buffer_steps = {{{1 * MiB, 384 * KiB}, {512 * KiB, 256 * KiB}, {192 * KiB, 96 * KiB}}};

Bytes overhead(const Buffers& buffers) {
  // Only one upload of a lane has bytes under way; the others wait for their answer with empty buffers.
  return user_space_per_lane + buffers.receive + 2 * buffers.send;
}

MemoryPlan cut(unsigned lanes, Bytes ring, const Buffers& buffers) {
  MemoryPlan plan;
  plan.lanes = lanes;
  plan.ring_bytes = ring;
  plan.receive_window = buffers.receive;
  plan.send_buffer = buffers.send;
  plan.per_lane = ring + overhead(buffers);
  return plan;
}

unsigned useful_lanes(const MemoryNeed& need) {
  if (need.lanes > 0) return std::min(need.lanes, most_lanes);
  // A large file can keep many lanes busy, a small one only its own.
  if (need.large_files > 0) return default_lanes;
  return static_cast<unsigned>(std::clamp<std::size_t>(need.small_files, 1, default_lanes));
}

Error does_not_fit(const MemoryNeed& need, Bytes lane) {
  const Bytes least = need.resident + reserve + lane;
  return Error(Kind::usage,
               fmt::format("--memory {} is too little: {} in use (program and listing) + {} reserve + {} for one lane = {}; "
                           "give at least {} MiB",
                           format_bytes(need.ceiling), format_bytes(need.resident), format_bytes(reserve),
                           format_bytes(lane), format_bytes(least), (least + MiB - 1) / MiB));
}

}  // namespace

Result<MemoryPlan> plan_memory(const MemoryNeed& need) {
  const Bytes used = need.resident + reserve;
  const Bytes room = need.ceiling > used ? need.ceiling - used : 0;
  const unsigned wished = useful_lanes(need);
  const bool stripes = need.large_files > 0 && need.large_files < wished;
  const Bytes wished_ring = stripes ? need.part_size : usual_ring;

  for (const Buffers& buffers : buffer_steps) {
    const Bytes lane = wished_ring + overhead(buffers);
    const auto fits = static_cast<unsigned>(std::min<Bytes>(room / lane, wished));
    // Fewer than a quarter of the lanes, or fewer than four, is worth smaller kernel buffers first.
    const bool last = &buffers == &buffer_steps.back();
    if (fits == wished || (fits >= std::max(4U, wished / 4) && !last)) {
      MemoryPlan plan = cut(fits, wished_ring, buffers);
      plan.held_by_memory = fits < wished;
      return plan;
    }
  }
  const Buffers& thrifty = buffer_steps.back();
  for (const Bytes ring : {wished_ring, usual_ring, shortest_ring}) {
    const auto fits = static_cast<unsigned>(std::min<Bytes>(room / (ring + overhead(thrifty)), wished));
    if (fits < std::min(wished, 4U) && ring > shortest_ring) continue;
    if (fits == 0) break;
    MemoryPlan plan = cut(fits, ring, thrifty);
    plan.held_by_memory = true;
    return plan;
  }
  return does_not_fit(need, shortest_ring + overhead(thrifty));
}

}  // namespace hfpour
