// SPDX-License-Identifier: MIT
#include "pipe/funnel_plan.h"

#include <fmt/core.h>

#include <algorithm>

namespace hfpour {
namespace {

// As in transfer/memory_plan: two buffers of libcurl, OpenSSL's, and the kernel's, which charges twice what is asked
// for.
constexpr Bytes send_buffer = 256 * KiB;
constexpr Bytes per_upload = (128 + 56) * KiB + 2 * send_buffer;
constexpr Bytes reserve = 4 * MiB;  ///< headers, fragmentation
constexpr Bytes per_part = 512;     ///< its ETag, its MD5, its place in the body of Complete
constexpr unsigned usual_uploads = 8;

Bytes round_up(Bytes size) {
  return (size + MiB - 1) / MiB * MiB;
}
Bytes round_down(Bytes size) {
  return size / MiB * MiB;
}

/// What is in use besides the parts.
Bytes fixed_cost(const FunnelNeed& need, unsigned uploads, const SinkLimits& limits) {
  return need.resident + reserve + uploads * per_upload + limits.max_parts * per_part;
}

/// The smallest parts of one length that hold a stream of `size` bytes.
Bytes least_part(Bytes size, const SinkLimits& limits) {
  const Bytes needed = size / limits.max_parts + (size % limits.max_parts > 0 ? 1 : 0);
  return std::max(limits.min_part, round_up(needed));
}

Error does_not_fit(const FunnelNeed& need, Bytes fixed, Bytes part, std::string_view why) {
  return Error(Kind::usage,
               fmt::format("--memory {} is too little{}: {} in use + two parts of {} = {}; give at least {} MiB",
                           format_bytes(need.ceiling), why, format_bytes(fixed), format_bytes(part),
                           format_bytes(fixed + 2 * part), round_up(fixed + 2 * part) / MiB));
}

}  // namespace

Bytes FunnelPlan::part_size(unsigned number) const {
  const unsigned doublings = std::min((number - 1) / grow_every, 20U);
  return std::clamp(first_part << doublings, first_part, most_part);
}

Bytes FunnelPlan::capacity() const {
  Bytes total = 0;
  for (unsigned number = 1; number <= limits.max_parts; ++number) total += part_size(number);
  return total;
}

Result<FunnelPlan> plan_funnel(const FunnelNeed& need, const SinkLimits& limits) {
  FunnelPlan plan;
  plan.limits = limits;
  plan.ceiling = need.ceiling;
  plan.send_buffer = send_buffer;
  const Bytes least = need.expected_size ? least_part(*need.expected_size, limits) : limits.min_part;
  if (least > limits.max_part) {
    return Error(Kind::quota, fmt::format("{} is more than {} parts of {} can hold", format_bytes(*need.expected_size),
                                          limits.max_parts, format_bytes(limits.max_part)));
  }
  const Bytes fixed = fixed_cost(need, 1, limits);
  if (fixed + 2 * least > need.ceiling) {
    return does_not_fit(need, fixed, least, need.expected_size ? " for " + format_bytes(*need.expected_size) : "");
  }
  // As many uploads as leave room for their parts, the one being filled, and what each costs besides.
  plan.uploads = need.uploads > 0 ? need.uploads : usual_uploads;
  const Bytes most = std::min(limits.max_part, round_down((need.ceiling - fixed) / 2));
  const Bytes usual = std::clamp(need.part_size, least, most);
  while (plan.uploads > 1 && fixed_cost(need, plan.uploads, limits) + (plan.uploads + 1) * usual > need.ceiling)
    --plan.uploads;
  plan.budget = need.ceiling - fixed_cost(need, plan.uploads, limits);
  plan.most_part = std::min(limits.max_part, round_down(plan.budget / 2));
  plan.first_part = usual;
  if (need.equal_parts && !need.expected_size) plan.first_part = std::max(usual, round_down(plan.budget / 4));
  if (need.equal_parts || need.expected_size) plan.most_part = plan.first_part;
  return plan;
}

}  // namespace hfpour
