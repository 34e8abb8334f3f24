// SPDX-License-Identifier: MIT
#include "run/store_keys.h"

#include "run/wiring.h"

namespace hfpour::run {
namespace {

constexpr Millis sts_stall{10'000};
/// What answers on the machine itself answers at once (contract s3, 5).
constexpr Millis agent_patience{2'000};
constexpr Millis metadata_patience{1'000};

http::Leg neighbour(const std::string& ca_bundle, Millis patience, Observer& observer) {
  http::Leg leg = make_leg(ca_bundle, patience, observer);
  leg.direct = true;
  leg.connect_timeout = patience;
  return leg;
}

}  // namespace

StoreKeys::StoreKeys(const keys::Places& places, const std::string& ca_bundle, World world)
    : sts_(world.reactor, make_leg(ca_bundle, sts_stall, world.observer)),
      agent_(world.reactor, neighbour(ca_bundle, agent_patience, world.observer)),
      metadata_(world.reactor, neighbour(ca_bundle, metadata_patience, world.observer)),
      chain_(places, keys::Legs{sts_, agent_, metadata_}, world.random),
      renewal_(chain_, world.reactor, world.observer) {
}

}  // namespace hfpour::run
