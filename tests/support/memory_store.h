// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

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
  Task<Result<void>> list(std::function<void(const ListedObject&)> each, CancelToken) override {
    calls.push_back("list");
    co_await Yield();
    if (failing) co_return *failing;
    for (const ListedObject& object : listed) each(object);
    co_return Result<void>();
  }

  std::map<std::string, std::string> objects;
  std::vector<ListedObject> listed;
  std::vector<std::string> calls;
  std::function<void()> during_put;
  std::optional<Error> failing;
  std::optional<Error> failing_remove;
};

}  // namespace hfpour::testing
