// SPDX-License-Identifier: MIT
#include "transfer/memory_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

namespace hfpour {
namespace {

// A download costs libcurl a buffer, an upload one more of 16 KiB for its answer (http/exchange.cc), and either OpenSSL
// about 50 KiB; a lane has one download, and a ring `uploads_per_lane` uploads. What malloc holds on to besides was
// measured with scripts/bench (peak against plan).
constexpr Bytes beside_download = 56 * KiB;
constexpr Bytes beside_upload = (16 + 56) * KiB;
constexpr Bytes usual_copy = 64 * KiB;
/// Pays where one stream brings hundreds of MiB/s, and nothing at the edge or with TLS (docs/performance.md).
constexpr Bytes copy_of_fast_stream = 256 * KiB;
constexpr Bytes reserve = 4 * MiB;   ///< headers, listings in flight, fragmentation
constexpr unsigned most_lanes = 64;  // contract hub §3.9: 32 to 64 connections fill 10 Gbit/s
constexpr unsigned default_lanes = 32;
// The Hub's edge, measured in August 2026 (contract hub §3.9): median time to first byte and speed of one stream.
constexpr double first_byte_seconds = 0.66;
constexpr double stream_speed = 28.0;  // MiB/s
/// From a part's last byte to the store's answer: measured with scripts/bench, whose store takes 60 ms.
constexpr double answer_seconds = 0.1;
/// What every kernel fixes. Above this an older one treats a window as advice (http/receive_buffer.h): lanes that wait
/// for a ring would fill it, each with megabytes; a single fast one had 17 MiB (docs/performance.md).
constexpr Bytes hard_window = 256 * KiB;
/// With less room than this there is none for such a window.
constexpr Bytes scarce_room = 32 * MiB;
/// Of the speed that thriftier buffers would allow.
constexpr double good_share = 0.75;
/// The same of wide windows for the first lanes of stripes.
constexpr double hardly_slower = 0.9;
/// A killed run fetches what was ahead of the file's hash again, up to so many parts for each lane.
constexpr unsigned most_parts_of_stripe = 4;
constexpr Bytes shortest_ring = 1 * MiB;
constexpr Bytes usual_ring = 2 * MiB;
/// For who asks for more lanes than have room with usual ones: a few milliseconds of a stream are enough.
constexpr std::array<Bytes, 4> rings_to_try = {2 * MiB, 1 * MiB, 512 * KiB, least_ring};

struct Buffers {
  Bytes receive;
  Bytes send;
  Bytes charged;  ///< kernel memory of a receive window that is full
  Bytes copy;     ///< libcurl's, of each exchange
};
using Steps = std::array<Buffers, 3>;
// From generous to thrifty.
constexpr std::array<Bytes, 3> windows = {largest_window, 512 * KiB, 192 * KiB};
constexpr std::array<Bytes, 3> send_buffers = {384 * KiB, 256 * KiB, 96 * KiB};

/// With windows that no kernel lets grow.
Steps hard_steps() {
  Steps steps{};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Bytes window = std::min(windows[i], hard_window);
    steps[i] = {window, send_buffers[i], window, usual_copy};
  }
  return steps;
}

/// Those for whole files. The kernel charges twice for a window that is full (socket(7), SO_RCVBUF), and large ones are
/// when cores are: 32 held 64 MiB; where they could not be fixed, 108 (docs/performance.md).
Steps steps_for(Bytes room, const MemoryNeed& need) {
  Steps steps = hard_steps();
  if (room < scarce_room) return steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (windows[i] <= hard_window) continue;
    steps[i].receive = windows[i];
    steps[i].charged = windows[i] * (need.windows_fixed ? 2 : 4);
  }
  return steps;
}

Bytes per_lane(const Buffers& buffers) {
  return buffers.copy + beside_download + buffers.charged;
}

Bytes per_ring(Bytes ring, const Buffers& buffers) {
  // Only one upload of a ring has bytes under way; the others wait for their answer with empty buffers.
  return ring + uploads_per_lane * (buffers.copy + beside_upload) + 2 * buffers.send;
}

/// Of a lane with a ring of its own.
Bytes per_pair(Bytes ring, const Buffers& buffers) {
  return per_lane(buffers) + per_ring(ring, buffers);
}

MemoryPlan cut(unsigned lanes, unsigned rings, Bytes ring, const Buffers& buffers) {
  MemoryPlan plan;
  plan.lanes = lanes;
  plan.rings = rings;
  plan.ring_bytes = ring;
  plan.receive_window = buffers.receive;
  plan.send_buffer = buffers.send;
  plan.copy_buffer = buffers.copy;
  plan.per_lane = per_lane(buffers);
  plan.per_ring = per_ring(ring, buffers);
  return plan;
}

/// The plan with the most generous kernel buffers that still leaves a good number of lanes, the first only where they
/// cost few; nothing when not even one lane fits.
std::optional<MemoryPlan> fit(Bytes room, unsigned wished, Bytes ring, const MemoryNeed& need) {
  const Steps steps = steps_for(room, need);
  for (const Buffers& buffers : steps) {
    const auto lanes = static_cast<unsigned>(std::min<Bytes>(room / per_pair(ring, buffers), wished));
    const bool last = &buffers == &steps.back();
    const unsigned enough = &buffers == &steps.front() ? wished - wished / 4 : wished / 4;
    if (lanes == 0 || (lanes < wished && lanes < std::max(4U, enough) && !last)) continue;
    MemoryPlan plan = cut(lanes, lanes, ring, buffers);
    plan.held_by_memory = lanes < wished;
    return plan;
  }
  return std::nullopt;
}

/// As many lanes as are wished for, with the longest rings and then the most generous buffers that allow it.
std::optional<MemoryPlan> fit_all(Bytes room, unsigned wished, const MemoryNeed& need) {
  for (const Bytes ring : rings_to_try) {
    for (const Buffers& buffers : steps_for(room, need)) {
      if (wished * per_pair(ring, buffers) <= room) return cut(wished, wished, ring, buffers);
    }
  }
  return std::nullopt;
}

/// Longer copies for whole files, where they take no lane away.
void lengthen_copies(MemoryPlan& plan, Bytes room) {
  const Bytes more = copy_of_fast_stream - plan.copy_buffer;
  if (plan.total() + (plan.lanes + plan.rings * uploads_per_lane) * more > room) return;
  plan.copy_buffer += more;
  plan.per_lane += more;
  plan.per_ring += uploads_per_lane * more;
}

/// MiB/s to be expected of lanes that each pour a whole file, one long stream each.
double speed_of_whole_files(const MemoryPlan& plan, const MemoryNeed& need) {
  return stream_speed *
         static_cast<double>(std::min<std::size_t>(plan.lanes, std::max<std::size_t>(need.large_files, 1)));
}

/// MiB/s to be expected of lanes that each pour stripes as long as a ring: every stripe waits for its first byte, and
/// holds a ring from then on.
double speed_of_stripes(const MemoryPlan& plan) {
  const double ring = static_cast<double>(plan.ring_bytes) / static_cast<double>(MiB);
  const double held = ring / stream_speed + answer_seconds;
  return ring * std::min(plan.lanes / (first_byte_seconds + held), plan.rings / held);
}

/// The fastest stripes with these buffers: lanes that wait for a first byte, and rings for those that do not.
std::optional<MemoryPlan> fit_stripes(Bytes room, unsigned most, Bytes ring, const Buffers& buffers) {
  std::optional<MemoryPlan> best;
  for (unsigned lanes = 1; lanes <= most; ++lanes) {
    const Bytes left = room - std::min(room, lanes * (per_lane(buffers) + buffers.receive));
    const auto rings = static_cast<unsigned>(std::min<Bytes>(left / per_ring(ring, buffers), lanes));
    if (rings == 0) break;
    MemoryPlan plan = cut(lanes, rings, ring, buffers);
    plan.per_lane += buffers.receive;  // windows will be full, and the kernel charges twice for them
    if (!best || speed_of_stripes(plan) > speed_of_stripes(*best)) best = plan;
  }
  if (best) best->held_by_memory = best->lanes < most;
  return best;
}

/// The same with the most generous kernel buffers that do not cost much, and stripes of no more parts than pay.
std::optional<MemoryPlan> fit_stripes(Bytes room, unsigned most, const MemoryNeed& need) {
  std::optional<MemoryPlan> good;
  Steps steps = hard_steps();
  // Stripes take all the room there is, so that nothing would be left for them afterwards.
  if (need.plain_source) steps.front().copy = copy_of_fast_stream;
  for (unsigned parts = 1; parts <= most_parts_of_stripe; ++parts) {
    for (const Buffers& buffers : steps) {
      const std::optional<MemoryPlan> plan = fit_stripes(room, most, parts * need.part_size, buffers);
      if (plan && (!good || good_share * speed_of_stripes(*plan) > speed_of_stripes(*good))) good = plan;
    }
  }
  return good;
}

/// The same with wide windows for the first lanes, where the streams may be fast and that takes little from the others.
std::optional<MemoryPlan> fit_wide_stripes(Bytes room, unsigned most, const MemoryNeed& need) {
  const std::optional<MemoryPlan> usual = fit_stripes(room, most, need);
  if (!usual || !need.plain_source || !need.windows_fixed) return usual;
  const unsigned wide = std::min(usual->lanes, first_lanes);
  const Bytes more = wide * 2 * (largest_window - usual->receive_window);
  if (room <= more) return usual;
  std::optional<MemoryPlan> plan = fit_stripes(room - more, most, need);
  if (!plan || plan->receive_window != usual->receive_window) return usual;
  if (speed_of_stripes(*plan) < hardly_slower * speed_of_stripes(*usual)) return usual;
  plan->wide_windows = wide;
  plan->for_wide_windows = more;
  return plan;
}

Error does_not_fit(const MemoryNeed& need, Bytes lane) {
  const Bytes least = need.resident + reserve + lane;
  return Error(
      Kind::usage,
      fmt::format("--memory {} is too little: {} in use (program and listing) + {} reserve + {} for one lane = {}; "
                  "give at least {} MiB",
                  format_bytes(need.ceiling), format_bytes(need.resident), format_bytes(reserve), format_bytes(lane),
                  format_bytes(least), (least + MiB - 1) / MiB));
}

}  // namespace

Result<MemoryPlan> plan_memory(const MemoryNeed& need) {
  const Bytes used = need.resident + reserve;
  const Bytes room = need.ceiling > used ? need.ceiling - used : 0;
  const unsigned wished = need.lanes > 0 ? std::min(need.lanes, most_lanes) : default_lanes;
  const auto files = static_cast<unsigned>(std::clamp<std::size_t>(need.large_files + need.small_files, 1, wished));

  // Without stripes a lane more than there are files would only stand idle.
  std::optional<MemoryPlan> whole = fit(room, files, usual_ring, need);
  if (need.lanes > 0 && whole && whole->lanes < files) {
    if (const std::optional<MemoryPlan> all = fit_all(room, files, need)) whole = all;
  }
  if (!whole || whole->lanes < std::min(files, 4U)) {
    if (const std::optional<MemoryPlan> shorter = fit(room, files, shortest_ring, need)) {
      whole = shorter;
      whole->held_by_memory = true;
    }
  }
  if (!whole) return does_not_fit(need, per_pair(shortest_ring, hard_steps().back()));
  if (need.plain_source) lengthen_copies(*whole, room);
  if (need.large_files == 0 || need.large_files >= wished) return *whole;
  const unsigned most = need.lanes > 0 ? wished : most_lanes;
  const std::optional<MemoryPlan> stripes = fit_wide_stripes(room, most, need);
  if (stripes && speed_of_stripes(*stripes) > speed_of_whole_files(*whole, need)) return *stripes;
  // More memory would have made stripes the better choice.
  whole->held_by_memory = true;
  return *whole;
}

Bytes stripe_length(const MemoryPlan& plan, Bytes part, Bytes bytes) {
  const Bytes share = std::max(bytes / plan.lanes, part);
  return std::min(share, plan.ring_bytes) / part * part;
}

}  // namespace hfpour
