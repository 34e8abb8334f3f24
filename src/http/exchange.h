// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "buffer/flow.h"
#include "http/client.h"
#include "http/request.h"
#include "loop/condition.h"

namespace hfpour::http {

/// One HTTP request and its answer on one easy handle: idle → running → done. Loop thread.
///
/// Redirects are answers. Bodies may stream: from an `Outlet` (PUT) and into an `Inlet`; when either says wait, that
/// direction of the transfer is paused and goes on after `wake`. An exchange in which nothing moves for the leg's
/// stall limit ends with `timeout`; time spent waiting for our own inlet or outlet does not count.
class Exchange final : public Completion, public Waker {
 public:
  Exchange(Client& client, Request request);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() override;

  /// The request's body, `outlet.length()` bytes. The outlet lives until `run` has ended.
  void send_from(Outlet& outlet) { outlet_ = &outlet; }
  /// Bodies of answers that `accept` likes go into `inlet`, all others into `Response::body`.
  void receive_into(Inlet& inlet, std::function<bool(const Response&)> accept);
  /// Longest body kept in `Response::body`. A longer one ends the exchange: with `protocol`, or, when its status is
  /// that of an error, with what is there.
  void limit_body(Bytes limit) { body_limit_ = limit; }

  /// Runs it once. Errors: `network`, `timeout`, `protocol`, `usage` (certificate), or the token's.
  Task<Result<Response>> run(CancelToken cancel);

  void wake() override;

 private:
  friend class Client;

  void prepare();
  void prepare_address();
  void prepare_method();
  void prepare_headers();
  void prepare_connection();
  void trust_only(const std::string& file);
  void arm_watchdog();
  void look_for_stall();
  void look_at_receive_buffer(Bytes more);
  void finish(Error error);
  void go_on();
  void on_done(CURLcode code) override;
  void on_header(std::string_view line);
  std::size_t on_body(ByteView bytes);
  std::size_t on_send(std::span<std::byte> buffer);
  int on_rewind();
  void moved() { last_move_ = client_.reactor().clock().now(); }
  std::string host() const;
  std::string summary(SteadyTime begun) const;

  static std::size_t header_callback(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t write_callback(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t read_callback(char* data, std::size_t size, std::size_t count, void* self);
  static int seek_callback(void* self, curl_off_t offset, int origin);
  static CURLcode tls_callback(CURL* easy, void* context, void* self);
  static int socket_callback(void* self, curl_socket_t socket, curlsocktype purpose);

  Client& client_;
  Request request_;
  Response response_;
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> address_{nullptr, &curl_url_cleanup};  ///< until `easy_` is reset
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  Outlet* outlet_ = nullptr;
  Inlet* inlet_ = nullptr;
  std::function<bool(const Response&)> accept_;
  std::optional<bool> accepted_;
  Bytes header_bytes_ = 0;
  Bytes body_limit_ = 64 * KiB;
  bool running_ = false;
  bool cut_ = false;  ///< the rest of an error's body is not wanted
  bool receive_paused_ = false;
  bool send_paused_ = false;
  std::optional<Error> error_;
  std::array<char, CURL_ERROR_SIZE> detail_{};
  SteadyTime last_move_;
  SteadyTime last_look_;
  Bytes received_since_look_ = 0;
  Bytes received_ = 0;
  Bytes sent_ = 0;
  Bytes received_unseen_ = 0;         ///< since the kernel's buffer was looked at
  bool growth_ended_ = false;         ///< of that buffer
  bool streamed_since_look_ = false;  ///< the body of a stream was flowing, unpaused, since the last look
  bool tls_;
  std::optional<Reactor::TimerId> watchdog_;
  Condition ended_;
};

}  // namespace hfpour::http
