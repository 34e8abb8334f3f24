// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "loop/cancel.h"
#include "loop/task.h"

namespace hfpour {

/// One object of a listing.
struct ListedObject {
  std::string name;  ///< below the place listed
  Bytes size = 0;
  std::string etag;  ///< normalised
};

/// Port: small objects and listings below one repository's place in the bucket. Names are relative to it. All calls
/// are retried inside. Loop thread.
class Store {
 public:
  virtual ~Store() = default;
  /// The object's bytes; nothing when there is no such object. Errors: `protocol` when it is longer than `limit`.
  virtual Task<Result<std::optional<std::string>>> get(std::string_view name, Bytes limit, CancelToken cancel) = 0;
  /// Replaces the object.
  virtual Task<Result<void>> put(std::string_view name, std::string body, CancelToken cancel) = 0;
  virtual Task<Result<void>> remove(std::string_view name, CancelToken cancel) = 0;
  enum class Created {
    yes,
    exists,       ///< there is one of that name, perhaps our own: an answer may have been lost
    unsupported,  ///< the store says that it cannot do that; others do not mind the condition and say `yes` always
  };
  /// Stores the object if there is none of that name.
  virtual Task<Result<Created>> create(std::string_view name, std::string body, CancelToken cancel) = 0;
  /// Calls `each` for every object whose name begins with `start`, page by page; memory does not grow with their
  /// number.
  virtual Task<Result<void>> list(std::string_view start, std::function<void(const ListedObject&)> each,
                                  CancelToken cancel) = 0;
};

}  // namespace hfpour
