// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "transfer/sink.h"

namespace hfpour::testing {

/// A sink in front of another one, which goes wrong as told. Loop thread.
class FaultySink final : public Sink {
 public:
  explicit FaultySink(Sink& inner) : inner_(inner) {}

  enum class When { before, midway, after };
  struct PartFault {
    unsigned number = 0;  ///< 0: any part
    unsigned times = 1;
    When when = When::before;
    Error error{Kind::unavailable, "HTTP 503"};
  };
  std::vector<PartFault> part_faults;
  unsigned wrong_etags = 0;  ///< so many receipts carry a wrong ETag
  unsigned create_failures = 0;
  Error create_error{Kind::unavailable, "HTTP 503"};
  unsigned complete_failures = 0;
  Error complete_error{Kind::expired, "NoSuchUpload"};
  unsigned abort_failures = 0;
  unsigned parts_failures = 0;
  Error parts_error{Kind::forbidden, "AccessDenied"};
  unsigned put_object_failures = 0;
  Error put_object_error{Kind::unavailable, "HTTP 503"};
  /// Told before and after whatever happens, with the operation's name.
  std::function<void(const char*)> on_event = [](const char*) {};

  SinkLimits limits() const override { return inner_.limits(); }

  Task<Result<std::string>> create(const FileEntry& file, CancelToken cancel) override {
    on_event("create");
    if (spend(create_failures)) co_return create_error;
    Result<std::string> id = co_await inner_.create(file, cancel);
    co_return id;
  }

  Task<Result<PartReceipt>> put_part(const FileEntry& file, const std::string& upload_id, unsigned number,
                                     Outlet& bytes, CancelToken cancel) override {
    on_event("put_part");
    PartFault* const fault = fault_for(number);
    if (fault != nullptr) --fault->times;
    const Error error = fault != nullptr ? fault->error : Error();
    const When when = fault != nullptr ? fault->when : When::after;
    if (fault != nullptr && when == When::before) co_return error;
    HalfOutlet half(bytes);
    Outlet& body = fault != nullptr && when == When::midway ? static_cast<Outlet&>(half) : bytes;
    const bool broken = fault != nullptr;
    Result<PartReceipt> receipt = co_await inner_.put_part(file, upload_id, number, body, cancel);
    on_event("put_part answered");
    if (cancel.cancelled()) co_return cancel.error();
    if (broken) co_return error;
    if (receipt && spend(wrong_etags)) receipt->etag = "\"00000000000000000000000000000000\"";
    co_return receipt;
  }

  Task<Result<std::vector<HeldPart>>> parts(const FileEntry& file, const std::string& upload_id,
                                            CancelToken cancel) override {
    on_event("parts");
    if (spend(parts_failures)) co_return parts_error;
    Result<std::vector<HeldPart>> held = co_await inner_.parts(file, upload_id, cancel);
    co_return held;
  }

  Task<Result<std::string>> complete(const FileEntry& file, const std::string& upload_id,
                                     const std::vector<PartReceipt>& parts, const std::string& expected_etag,
                                     CancelToken cancel) override {
    on_event("complete");
    if (spend(complete_failures)) co_return complete_error;
    Result<std::string> etag = co_await inner_.complete(file, upload_id, parts, expected_etag, cancel);
    on_event("completed");
    co_return etag;
  }

  Task<Result<void>> abort(const FileEntry& file, const std::string& upload_id, CancelToken cancel) override {
    on_event("abort");
    if (spend(abort_failures)) co_return Error(Kind::timeout, "no answer");
    Result<void> aborted = co_await inner_.abort(file, upload_id, cancel);
    co_return aborted;
  }

  Task<Result<std::string>> put_object(const FileEntry& file, Outlet& bytes, const std::vector<std::byte>& md5,
                                       CancelToken cancel) override {
    on_event("put_object");
    if (spend(put_object_failures)) co_return put_object_error;
    Result<std::string> etag = co_await inner_.put_object(file, bytes, md5, cancel);
    on_event("put_object answered");
    co_return etag;
  }

 private:
  /// Stops in the middle of the body.
  class HalfOutlet final : public Outlet {
   public:
    explicit HalfOutlet(Outlet& inner) : inner_(inner) {}
    Lent lend(Bytes ahead, Bytes limit) override {
      const Bytes left = inner_.length() / 2 - given_ - ahead;
      return left == 0 ? Lent{Kind::stop} : inner_.lend(ahead, std::min(limit, left));
    }
    void gave(ByteView bytes) override { inner_.gave(bytes); }
    void passed(Bytes count) override {
      given_ += count;
      inner_.passed(count);
    }
    Bytes length() const override { return inner_.length(); }
    bool rewind() override { return false; }
    void set_waker(Waker* waker) override { inner_.set_waker(waker); }

   private:
    Outlet& inner_;
    Bytes given_ = 0;
  };

  static bool spend(unsigned& times) { return times > 0 && times-- > 0; }
  PartFault* fault_for(unsigned number) {
    for (PartFault& fault : part_faults) {
      if (fault.times > 0 && (fault.number == 0 || fault.number == number)) return &fault;
    }
    return nullptr;
  }

  Sink& inner_;
};

}  // namespace hfpour::testing
