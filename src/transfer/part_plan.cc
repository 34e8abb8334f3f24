// SPDX-License-Identifier: MIT
#include "transfer/part_plan.h"

#include <fmt/core.h>

namespace hfpour {

Result<PartPlan> plan_parts(Bytes size, Bytes preferred, const SinkLimits& limits) {
  Bytes part = std::clamp(preferred, limits.min_part, limits.max_part);
  const Bytes needed = size / limits.max_parts + (size % limits.max_parts > 0 ? 1 : 0);
  if (needed > part) part = (needed + MiB - 1) / MiB * MiB;
  if (part > limits.max_part) {
    return Error(Kind::quota, fmt::format("{} is more than {} parts of {} can hold", format_bytes(size),
                                          limits.max_parts, format_bytes(limits.max_part)));
  }
  return PartPlan{size, part};
}

}  // namespace hfpour
