// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "support/data.h"
#include "support/test_loop.h"
#include "transfer/store.h"

namespace hfpour::testing {

/// Small objects in memory. Loop thread.
class MemoryStore final : public Store {
 public:
  Task<Result<std::optional<std::string>>> get(std::string_view name, Bytes limit, CancelToken cancel) override {
    calls.push_back("get " + std::string(name));
    co_await Yield();
    if (cancel.cancelled()) co_return cancel.error();
    if (failing) co_return *failing;
    std::optional<std::string> found;
    const auto place = objects.find(std::string(name));
    if (place == objects.end()) co_return found;
    if (place->second.size() > limit) co_return Error(Kind::protocol, "too long");
    found = place->second;
    co_return found;
  }
  Task<Result<void>> put(std::string_view name, std::string body, CancelToken cancel) override {
    calls.push_back("put " + std::string(name));
    const std::string key(name);
    co_await Yield();
    if (during_put) during_put();
    if (cancel.cancelled()) co_return cancel.error();
    if (failing) co_return *failing;
    objects[key] = std::move(body);
    co_return Result<void>();
  }
  Task<Result<void>> remove(std::string_view name, CancelToken) override {
    calls.push_back("remove " + std::string(name));
    if (failing_remove) co_return *failing_remove;
    objects.erase(std::string(name));
    co_return Result<void>();
  }
  Task<Result<Created>> create(std::string_view name, std::string body, CancelToken cancel) override {
    calls.push_back("create " + std::string(name));
    const std::string key(name);
    co_await Yield();
    if (cancel.cancelled()) co_return cancel.error();
    if (failing) co_return *failing;
    if (creating == Creating::refused) co_return Created::unsupported;
    if (creating == Creating::knows && objects.contains(key)) co_return Created::exists;
    objects[key] = std::move(body);
    if (std::exchange(lose_an_answer, false)) co_return Created::exists;  // the second attempt finds the first one's
    co_return Created::yes;
  }
  /// `listed`, and those of `objects` that stand below `start`, with an ETag that follows from their bytes.
  Task<Result<void>> list(std::string_view start, std::function<void(const ListedObject&)> each,
                          CancelToken cancel) override {
    const std::string prefix(start);
    calls.push_back(prefix.empty() ? "list" : "list " + prefix);
    co_await Yield();
    if (cancel.cancelled()) co_return cancel.error();
    if (failing) co_return *failing;
    for (const ListedObject& object : listed) {
      if (object.name.starts_with(prefix)) each(object);
    }
    for (const auto& [name, body] : objects) {
      if (!prefix.empty() && name.starts_with(prefix))
        each(ListedObject{name, body.size(), to_hex(ByteView(md5_of(body)))});
    }
    co_return Result<void>();
  }

  enum class Creating { knows, ignores, refused };  ///< "only if it is not there"

  std::map<std::string, std::string> objects;
  std::vector<ListedObject> listed;
  std::vector<std::string> calls;
  std::function<void()> during_put;
  Creating creating = Creating::knows;
  bool lose_an_answer = false;  ///< of the next `create`
  std::optional<Error> failing;
  std::optional<Error> failing_remove;
};

}  // namespace hfpour::testing
