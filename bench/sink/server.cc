// SPDX-License-Identifier: MIT
#include "sink/server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sink {
namespace {

bool complain(std::string_view what) {
  fmt::print(stderr, "sink: {}: {}\n", what, std::strerror(errno));
  return false;
}

}  // namespace

bool Server::start() {
  if (!settings_.certificate.empty()) {
    tls_ = tls_context(settings_.certificate, settings_.key);
    if (tls_ == nullptr) {
      fmt::print(stderr, "sink: the certificate or its key cannot be read\n");
      return false;
    }
  }
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  signals_ = signalfd(-1, &ending, SFD_CLOEXEC);
  if (!listen_on_loopback()) return complain("cannot listen");
  if (!watch(listener_, EPOLLIN) || !watch(signals_, EPOLLIN)) return complain("epoll");
  if (settings_.exit_with_parent && !watch(STDIN_FILENO, EPOLLIN)) return complain("standard input cannot be watched");
  return true;
}

bool Server::listen_on_loopback() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(settings_.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(listener_, 4096) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return false;
  port_ = ntohs(address.sin_port);
  return true;
}

std::string Server::endpoint() const {
  return fmt::format("{}://127.0.0.1:{}", tls_ == nullptr ? "http" : "https", port_);
}

bool Server::watch(int descriptor, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void Server::serve() {
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms());
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == signals_) return;
      if (descriptor == STDIN_FILENO) {
        char scrap[256];
        if (read(STDIN_FILENO, scrap, sizeof scrap) <= 0) return;
      } else if (descriptor == listener_) {
        accept_all();
      } else {
        step(descriptor);
      }
    }
    for (const int socket : std::exchange(turns_, {})) step(socket);
    release_due();
  }
}

void Server::accept_all() {
  while (true) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto transport = tls_ == nullptr ? plain_transport(socket) : tls_transport(socket, tls_);
    clients_[socket] = Client{std::make_unique<Connection>(std::move(transport), store_), ++serial_, EPOLLIN};
    if (!watch(socket, EPOLLIN)) close_client(socket);
  }
}

void Server::step(int socket) {
  const auto found = clients_.find(socket);
  if (found != clients_.end()) follow(socket, found->second, found->second.connection->go_on());
}

void Server::follow(int socket, Client& client, Connection::Wish wish) {
  switch (wish) {
    case Connection::Wish::read: return rewatch(socket, client, EPOLLIN);
    case Connection::Wish::write: return rewatch(socket, client, EPOLLOUT);
    case Connection::Wish::turn: return turns_.push_back(socket);
    case Connection::Wish::hold: return;
    case Connection::Wish::end: return close_client(socket);
    case Connection::Wish::release:
      if (settings_.delay.count() == 0) {
        client.connection->release();
        turns_.push_back(socket);
        return;
      }
      rewatch(socket, client, 0);
      waiting_.push_back(Waiting{Clock::now() + settings_.delay, socket, client.serial});
  }
}

void Server::rewatch(int socket, Client& client, std::uint32_t events) const {
  if (client.watched == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event);
  client.watched = events;
}

void Server::close_client(int socket) {
  clients_.erase(socket);
  close(socket);
}

/// For `epoll_wait`: rounded up, as an answer must not go out early.
int Server::wait_ms() const {
  if (!turns_.empty()) return 0;
  if (waiting_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(waiting_.front().due - Clock::now());
  return left.count() < 0 ? 0 : static_cast<int>(left.count());
}

void Server::release_due() {
  const Clock::time_point now = Clock::now();
  while (!waiting_.empty() && waiting_.front().due <= now) {
    const Waiting next = waiting_.front();
    waiting_.pop_front();
    const auto found = clients_.find(next.socket);
    if (found == clients_.end() || found->second.serial != next.serial) continue;
    found->second.connection->release();
    turns_.push_back(next.socket);
  }
}

}  // namespace sink
