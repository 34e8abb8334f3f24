// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/client.h"
#include "transfer/observer.h"

namespace hfpour::run {

/// What a run takes besides what it holds when its memory is planned: TLS sessions, thread stacks, code not yet run.
inline constexpr Bytes warm_up = 3 * MiB;

/// Nothing may come from the Hub, or from the store, for so long before an exchange is given up.
inline constexpr Millis hub_stall{60'000};
inline constexpr Millis store_stall{120'000};

/// `observer` outlives the leg.
http::Leg make_leg(const std::string& ca_bundle, Millis stall_limit, Observer& observer);

/// Resident memory of this process now.
Bytes resident_now();

/// `host/process`, for people who look at a lease.
std::string this_process();

/// Cores this process may use: its affinity, or what its cgroup allows if that is less. May be a fraction.
double usable_cores();

/// What a listing may take of `memory`: all but what is in use; half of it in any case, since the plan refuses too
/// small a `memory` with the better sentence.
Bytes room_for_listing(Bytes memory);

/// Threads that hash: as many as there are usable cores, 1 to 8.
unsigned hash_threads();

}  // namespace hfpour::run
