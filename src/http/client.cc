// SPDX-License-Identifier: MIT
#include "http/client.h"

#include <unistd.h>

#include <algorithm>

#include "http/exchange.h"
#include "http/receive_buffer.h"

namespace hfpour::http {

std::string system_ca_bundle() {
  const char* const file = curl_version_info(CURLVERSION_NOW)->cainfo;
  return file != nullptr && access(file, R_OK) == 0 ? file : "";
}

Client::~Client() {
  for (CURL* const easy : idle_) curl_easy_cleanup(easy);
}

void Client::set_buffers(const Buffers& buffers) {
  leg_.buffers = buffers;
  leg_.window_fixed = can_fix_receive_buffer(buffers.receive_window);
}

Task<Result<Response>> Client::fetch(Request request, Bytes body_limit, CancelToken cancel) {
  Exchange exchange(*this, std::move(request));
  exchange.limit_body(body_limit);
  Result<Response> answer = co_await exchange.run(cancel);
  co_return answer;
}

/// What a connection that is being opened may have under way to us; 0 = kernel's choice.
Bytes Client::window_of(int socket, bool stream) {
  const Buffers& buffers = leg_.buffers;
  const bool wide = stream && leg_.window_fixed && wide_.admit(socket, buffers.wide_windows);
  return wide ? buffers.wide_window : buffers.receive_window;
}

CURL* Client::acquire() {
  if (idle_.empty()) return curl_easy_init();
  CURL* const easy = idle_.back();
  idle_.pop_back();
  return easy;
}

void Client::release(CURL* easy) {
  curl_easy_reset(easy);
  idle_.push_back(easy);
}

void Client::wake_later(Exchange* exchange) {
  if (std::find(to_wake_.begin(), to_wake_.end(), exchange) != to_wake_.end()) return;
  if (to_wake_.empty()) reactor_.soon([this] { wake_all(); });
  to_wake_.push_back(exchange);
}

void Client::forget(const Exchange* exchange) {
  for (Exchange*& waiting : to_wake_) {
    if (waiting == exchange) waiting = nullptr;
  }
}

void Client::wake_all() {
  for (Exchange* const exchange : std::exchange(to_wake_, {})) {
    if (exchange != nullptr) exchange->go_on();
  }
}

}  // namespace hfpour::http
