// SPDX-License-Identifier: MIT
#include "s3/quirks.h"

#include <array>
#include <string_view>

namespace hfpour::s3 {
namespace {

struct Store {
  std::string_view host_ending;
  Quirks quirks;
};

constexpr std::array<Store, 1> stores = {{
    {".r2.cloudflarestorage.com", {true}},  // Cloudflare R2, "Multipart objects" (contract s3 §4.1)
}};

}  // namespace

Quirks quirks_of(const Endpoint& endpoint) {
  for (const Store& store : stores) {
    if (endpoint.host.ends_with(store.host_ending)) return store.quirks;
  }
  return {};
}

}  // namespace hfpour::s3
