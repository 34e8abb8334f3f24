// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <functional>
#include <string>
#include <vector>

#include "http/receive_buffer.h"
#include "http/request.h"
#include "loop/reactor.h"

namespace hfpour::http {

class Exchange;

/// What one connection may hold.
struct Buffers {
  Bytes receive_window = 0;  ///< what a peer may have under way to us; 0 = kernel's choice
  Bytes send_buffer = 0;     ///< kernel memory for what we send; 0 = kernel's choice
  Bytes copy = 64 * KiB;     ///< what libcurl takes at a time in each direction, without TLS
  Bytes wide_window = 0;     ///< instead of `receive_window`, of the first `wide_windows` connections that streams open
  unsigned wide_windows = 0;
};

/// How connections of one leg (Hub or store) are made.
struct Leg {
  std::string user_agent;
  std::string ca_bundle;           ///< PEM file; empty = whatever libcurl takes by itself
  bool direct = false;             ///< never through a proxy, whatever the environment says
  Millis connect_timeout{10'000};  ///< contracts hub §9 (10 to 15 s), s3 §4.13 (10 s)
  Millis stall_limit{60'000};      ///< nothing moved for so long while we were ready: give up this exchange
  Buffers buffers;                 ///< of each connection and exchange
  bool window_fixed = false;       ///< the kernel grants it; else it must be watched (http/receive_buffer.h)
  /// Gets one line about each exchange that has ended, without any query or header; empty: nobody wants it.
  std::function<void(const std::string& line)> trace = {};
};

/// The system's PEM file of trusted certificates, as libcurl was built to look for it; empty when there is none, and
/// libcurl may know a directory of them. Any thread.
std::string system_ca_bundle();

/// Easy handles and settings of one leg. Loop thread; outlives its exchanges.
class Client {
 public:
  Client(Reactor& reactor, Leg leg) : reactor_(reactor), leg_(std::move(leg)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  Reactor& reactor() { return reactor_; }
  const Leg& leg() const { return leg_; }
  /// Windows follow from the memory plan, which is known only after the listing.
  void set_buffers(const Buffers& buffers);

  /// One small request, one small answer (body at most `body_limit` bytes, else `protocol`). Any status is an answer.
  Task<Result<Response>> fetch(Request request, Bytes body_limit, CancelToken cancel);

 private:
  friend class Exchange;
  CURL* acquire();
  void release(CURL* easy);
  void wake_later(Exchange* exchange);
  void forget(const Exchange* exchange);
  void wake_all();
  Bytes window_of(int socket, bool stream);

  Reactor& reactor_;
  Leg leg_;
  FewSockets wide_;
  std::vector<CURL*> idle_;
  std::vector<Exchange*> to_wake_;
};

}  // namespace hfpour::http
