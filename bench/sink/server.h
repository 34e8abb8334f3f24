// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sink/connection.h"

namespace sink {

/// How the sink is started.
struct Settings {
  int port = 0;  ///< on 127.0.0.1; 0 takes a free one
  std::chrono::milliseconds delay{0};
  std::string certificate;  ///< empty: no TLS
  std::string key;
  bool exit_with_parent = false;  ///< end when standard input ends
};

/// One thread that serves every connection with epoll. Answers that wait stand in a queue: all wait equally long, so
/// the first in is the first out, and no thread sleeps.
class Server {
 public:
  explicit Server(Settings settings) : settings_(std::move(settings)) {}

  /// Listens; false with a sentence on stderr if it cannot.
  bool start();
  std::string endpoint() const;
  /// Serves until SIGTERM, SIGINT, or the end of standard input if that was asked for.
  void serve();

 private:
  using Clock = std::chrono::steady_clock;
  struct Client {
    std::unique_ptr<Connection> connection;
    std::uint64_t serial = 0;
    std::uint32_t watched = 0;
  };
  struct Waiting {
    Clock::time_point due;
    int socket = 0;
    std::uint64_t serial = 0;  ///< a socket's number may have gone to another client meanwhile
  };

  bool listen_on_loopback();
  bool watch(int descriptor, std::uint32_t events) const;
  void accept_all();
  void step(int socket);
  void follow(int socket, Client& client, Connection::Wish wish);
  void rewatch(int socket, Client& client, std::uint32_t events) const;
  void close_client(int socket);
  int wait_ms() const;
  void release_due();

  Settings settings_;
  Store store_;
  int epoll_ = -1;
  int listener_ = -1;
  int signals_ = -1;
  int port_ = 0;
  SSL_CTX* tls_ = nullptr;
  std::uint64_t serial_ = 0;
  std::unordered_map<int, Client> clients_;
  std::deque<Waiting> waiting_;
  std::vector<int> turns_;  ///< sockets that have more to do at once
};

}  // namespace sink
