// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/data.h"
#include "support/weather.h"
#include "transfer/sink.h"

namespace hfpour::testing {

/// A bucket in memory. Looks at itself whenever something becomes visible: an object whose bytes
/// are not those the listing promised is noted in `wrong`. Loop thread.
class MemorySink final : public Sink {
 public:
  MemorySink(Reactor& reactor, std::uint64_t seed) : reactor_(reactor), weather_(reactor, seed) {}

  SinkLimits limits() const override { return limits_; }

  Task<Result<std::string>> create(const FileEntry& file, CancelToken cancel) override {
    co_await weather_.pass(cancel);
    if (cancel.cancelled()) co_return cancel.error();
    const std::string id = "upload " + std::to_string(++created);
    uploads[id].path = file.path;
    co_return id;
  }

  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override {
    ++under_way_;
    most_under_way = std::max(most_under_way, under_way_);
    Result<std::string> body = co_await receive(bytes, cancel);
    co_await reactor_.sleep(answer_delay, cancel);
    --under_way_;
    if (cancel.cancelled()) co_return cancel.error();
    if (!body) co_return body.error();
    const auto upload = uploads.find(upload_id);
    if (upload == uploads.end() || upload->second.path != file.path) {
      co_return Error(Kind::expired, "NoSuchUpload");
    }
    PartReceipt receipt;
    receipt.number = number;
    receipt.etag = '"' + to_hex(ByteView(md5_of(*body))) + '"';
    upload->second.parts[number] = std::move(*body);
    ++stored_parts;
    co_return receipt;
  }

  Task<Result<std::vector<HeldPart>>> parts(const FileEntry&, const std::string& upload_id,
                                            CancelToken cancel) override {
    co_await weather_.pass(cancel);
    if (cancel.cancelled()) co_return cancel.error();
    const auto upload = uploads.find(upload_id);
    if (upload == uploads.end()) co_return Error(Kind::expired, "NoSuchUpload");
    std::vector<HeldPart> held;
    for (const auto& [number, bytes] : upload->second.parts) {
      const std::string etag = to_hex(ByteView(md5_of(bytes)));
      held.push_back(HeldPart());
      held.back().number = number;
      held.back().size = bytes.size();
      held.back().etag = etag;
    }
    co_return held;
  }

  Task<Result<std::string>> complete(const FileEntry& file, const std::string& upload_id,
                                     const std::vector<PartReceipt>& parts, const std::string& expected_etag,
                                     CancelToken cancel) override {
    co_await weather_.pass(cancel);
    if (cancel.cancelled()) co_return cancel.error();
    const auto upload = uploads.find(upload_id);
    if (upload == uploads.end()) co_return Error(Kind::expired, "NoSuchUpload");
    std::string content;
    std::string all;
    unsigned last = 0;
    for (const PartReceipt& part : parts) {
      const auto stored = upload->second.parts.find(part.number);
      if (part.number <= last || stored == upload->second.parts.end()) co_return Error(Kind::expired, "InvalidPart");
      last = part.number;
      const std::vector<std::byte> md5 = md5_of(stored->second);
      if (part.etag != '"' + to_hex(md5) + '"') co_return Error(Kind::expired, "InvalidPart");
      all += as_text(md5);
      content += stored->second;
    }
    const std::string etag = to_hex(ByteView(md5_of(all))) + "-" + std::to_string(parts.size());
    if (!expected_etag.empty() && expected_etag != etag) wrong.push_back(file.path + ": another ETag");
    uploads.erase(upload);
    show(file, std::move(content));
    co_return etag;
  }

  Task<Result<void>> abort(const FileEntry&, const std::string& upload_id, CancelToken cancel) override {
    co_await weather_.pass(cancel);
    uploads.erase(upload_id);
    co_return Result<void>();
  }

  Task<Result<std::string>> put_object(const FileEntry& file, Outlet& bytes, const std::vector<std::byte>& md5,
                                       CancelToken cancel) override {
    Result<std::string> body = co_await receive(bytes, cancel);
    co_await reactor_.sleep(answer_delay, cancel);
    if (cancel.cancelled()) co_return cancel.error();
    if (!body) co_return body.error();
    const std::vector<std::byte> found = md5_of(*body);
    if (!md5.empty() && md5 != found) co_return Error(Kind::protocol, "BadDigest");
    show(file, std::move(*body));
    co_return to_hex(found);
  }

  struct Upload {
    std::string path;
    std::map<unsigned, std::string> parts;
  };
  SinkLimits limits_{1, 64, 10'000};
  Millis answer_delay{0};
  std::map<std::string, Upload> uploads;       ///< begun, neither completed nor aborted
  std::map<std::string, std::string> objects;  ///< visible
  std::vector<std::string> wrong;              ///< what should never have become visible
  unsigned created = 0;
  unsigned stored_parts = 0;
  unsigned most_under_way = 0;  ///< parts side by side

 private:
  Task<Result<std::string>> receive(Outlet& bytes, CancelToken cancel) {
    Bell bell;
    bytes.set_waker(&bell);
    Result<std::string> body = co_await read(bytes, bell, cancel);
    bytes.set_waker(nullptr);
    co_return body;
  }

  Task<Result<std::string>> read(Outlet& bytes, Bell& bell, CancelToken cancel) {
    std::string body;
    std::string buffer(16, '\0');
    while (body.size() < bytes.length()) {
      if (cancel.cancelled()) co_return cancel.error();
      const std::span<std::byte> room(reinterpret_cast<std::byte*>(buffer.data()), weather_.draw(1, buffer.size()));
      const Outlet::Give give = bytes.give(room);
      if (give.kind == Outlet::Kind::stop) co_return Error(Kind::cancelled, "the body has stopped");
      if (give.kind == Outlet::Kind::wait) {
        co_await bell.rung.wait(cancel);
        continue;
      }
      body.append(buffer, 0, give.count);
      co_await weather_.pass(cancel);
    }
    co_return body;
  }

  void show(const FileEntry& file, std::string content) {
    if (content.size() != file.size || !(hash_of(file.hash.kind, content) == file.hash)) {
      wrong.push_back(file.path + ": other bytes");
    }
    objects[file.path] = std::move(content);
  }

  Reactor& reactor_;
  Weather weather_;
  unsigned under_way_ = 0;
};

}  // namespace hfpour::testing
