// SPDX-License-Identifier: MIT
#include "http/remote_sender.h"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "loop/task_group.h"

using namespace hfpour;
using namespace hfpour::http;

namespace {

/// A store of a single request: reads its head and up to `limit` bytes of its body, then says `answer` and hangs up.
class OneAnswer {
 public:
  OneAnswer(std::size_t limit, std::string answer) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener_, plain, length) == 0);
    REQUIRE(listen(listener_, 1) == 0);
    REQUIRE(getsockname(listener_, plain, &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, limit, said = std::move(answer)] { serve(limit, said); });
  }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  ~OneAnswer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}/part", port_); }
  /// What came, once the server has hung up.
  const std::string& body() {
    if (thread_.joinable()) thread_.join();
    thread_ = std::jthread([] {});
    return body_;
  }

 private:
  void serve(std::size_t limit, const std::string& answer) {
    const int peer = accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    std::string all;
    std::vector<char> buffer(64 * 1024);
    std::size_t head = std::string::npos;
    while (head == std::string::npos || all.size() < head + 4 + limit) {
      const ssize_t count = recv(peer, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(count));
      head = all.find("\r\n\r\n");
    }
    if (head != std::string::npos) body_ = all.substr(head + 4);
    static_cast<void>(send(peer, answer.data(), answer.size(), MSG_NOSIGNAL));
    close(peer);
  }

  int listener_;
  int port_ = 0;
  std::string body_;
  std::jthread thread_;
};

/// Bytes that come in pieces, and are gone when they have passed.
class TestOutlet final : public Outlet {
 public:
  explicit TestOutlet(std::string bytes) : bytes_(std::move(bytes)) {}

  Lent lend(Bytes ahead, Bytes limit) override {
    if (given_ + ahead >= there_) return Lent{};
    return Lent{Kind::bytes, as_view(bytes_).subspan(given_ + ahead, std::min(limit, there_ - given_ - ahead))};
  }
  void gave(ByteView bytes) override {
    sent_on = std::this_thread::get_id();
    copies += as_text(bytes);
  }
  void passed(Bytes count) override {
    passed_on = std::this_thread::get_id();
    given_ += count;
    if (on_passed) on_passed();
  }
  Bytes length() const override { return bytes_.size(); }
  bool rewind() override { return given_ == 0; }
  void set_waker(Waker* waker) override { waker_ = waker; }

  /// `count` more are there.
  void bring(Bytes count) {
    there_ = std::min<Bytes>(there_ + count, bytes_.size());
    if (waker_ != nullptr) waker_->wake();
  }
  Bytes given() const { return given_; }
  bool has_waker() const { return waker_ != nullptr; }

  std::string copies;
  std::thread::id sent_on;
  std::thread::id passed_on;
  std::function<void()> on_passed;

 private:
  std::string bytes_;
  Bytes there_ = 0;
  Bytes given_ = 0;
  Waker* waker_ = nullptr;
};

std::string some_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 31 % 251);
  return bytes;
}

/// The loop, a side loop, and a sender between them.
struct Both {
  SystemClock clock;
  Reactor loop{clock};
  SideLoop side{clock, "send"};
  std::vector<std::string> lines;
  std::thread::id told_on;
  RemoteSender sender{loop, side, leg()};

  Leg leg() {
    Leg leg;
    leg.direct = true;
    leg.trace = [this](const std::string& line) {
      told_on = std::this_thread::get_id();
      lines.push_back(line);
    };
    return leg;
  }
  Result<Response> send(const std::string& url, Outlet& outlet, CancelToken cancel = {}) {
    Request request;
    request.method = "PUT";
    request.url = url;
    return loop.run(sender.send(std::move(request), outlet, 64 * KiB, cancel));
  }
};

Task<Result<void>> send_one(Both& both, std::string url, Outlet& outlet, CancelToken cancel) {
  Request request;
  request.method = "PUT";
  request.url = std::move(url);
  const Result<Response> answer = co_await both.sender.send(std::move(request), outlet, 64 * KiB, cancel);
  if (!answer) co_return answer.error();
  co_return Result<void>();
}

Task<Result<void>> send_all(Both& both, const std::vector<std::unique_ptr<OneAnswer>>& stores,
                            const std::vector<std::unique_ptr<TestOutlet>>& outlets) {
  TaskGroup group(both.loop.ready(), CancelToken());
  for (std::size_t i = 0; i < stores.size(); ++i) {
    group.spawn(send_one(both, stores[i]->url(), *outlets[i], group.token()));
  }
  outlets.front()->bring(200'000);
  Result<void> joined = co_await group.join();
  co_return joined;
}

}  // namespace

TEST_CASE("remote sender: a body that comes bit by bit leaves from the side loop's thread, whole and in order") {
  Both both;
  const std::string bytes = some_bytes(5'000'000);
  OneAnswer store(bytes.size(), "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n");
  TestOutlet outlet(bytes);
  outlet.bring(200'000);
  outlet.on_passed = [&] { outlet.bring(700'000); };
  const Result<Response> answer = both.send(store.url(), outlet);
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->headers.get("ETag") == "\"x\"");
  CHECK(answer->sent == bytes.size());
  CHECK(store.body() == bytes);
  CHECK(outlet.copies == bytes);
  CHECK(outlet.given() == bytes.size());
  CHECK(outlet.sent_on != std::this_thread::get_id());
  CHECK(outlet.passed_on == std::this_thread::get_id());
  CHECK_FALSE(outlet.has_waker());
  REQUIRE(both.lines.size() == 1);
  CHECK(both.lines.front().find("HTTP 200") != std::string::npos);
  CHECK(both.told_on == std::this_thread::get_id());
}

TEST_CASE("remote sender: an answer in the middle of the body is the answer, and nothing is lent after it") {
  Both both;
  OneAnswer store(1'000'000, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  const std::string bytes = some_bytes(20'000'000);
  Bytes given = 0;
  {
    TestOutlet outlet(bytes);
    outlet.bring(2'000'000);
    outlet.on_passed = [&] { outlet.bring(100'000); };
    const Result<Response> answer = both.send(store.url(), outlet);
    // A peer that hangs up with bytes unread resets the connection, which may overtake its answer.
    if (answer) CHECK(answer->status == 403);
    if (!answer) CHECK(answer.error().kind == Kind::network);
    given = outlet.given();
    CHECK(given <= outlet.copies.size());
    CHECK_FALSE(outlet.has_waker());
  }
  CHECK(given >= 800'000);
  CHECK(given < bytes.size());
}

TEST_CASE("remote sender: a send that is cancelled while it waits for bytes ends with the token's error") {
  Both both;
  OneAnswer store(1'000'000, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  TestOutlet outlet(some_bytes(1'000'000));
  CancelSource stop;
  outlet.bring(300'000);
  outlet.on_passed = [&] {
    if (outlet.given() >= 200'000) stop.cancel(Error(Kind::cancelled, "enough"));
  };
  const Result<Response> answer = both.send(store.url(), outlet, stop.token());
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == Kind::cancelled);
  CHECK(answer.error().sentence == "enough");
  CHECK_FALSE(outlet.has_waker());
  const Result<Response> again = both.send(store.url(), outlet, stop.token());
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == Kind::cancelled);
}

TEST_CASE("remote sender: several bodies leave side by side") {
  Both both;
  const std::string bytes = some_bytes(600'000);
  std::vector<std::unique_ptr<OneAnswer>> stores;
  std::vector<std::unique_ptr<TestOutlet>> outlets;
  for (int i = 0; i < 4; ++i) {
    stores.push_back(std::make_unique<OneAnswer>(bytes.size(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    outlets.push_back(std::make_unique<TestOutlet>(bytes));
  }
  // Each goes on only after the one before it has: all of them must be under way together.
  for (std::size_t i = 0; i < 4; ++i) {
    outlets[i]->on_passed = [&, i] { outlets[(i + 1) % 4]->bring(150'000); };
  }
  CHECK(both.loop.run(send_all(both, stores, outlets)));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(stores[i]->body() == bytes);
    CHECK(outlets[i]->copies == bytes);
  }
}
