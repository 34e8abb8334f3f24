// SPDX-License-Identifier: MIT
#include "sink/transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sink {
namespace {

constexpr int most = 1 << 20;  ///< in one call

class Plain final : public Transport {
 public:
  explicit Plain(int socket) : socket_(socket) {}

  long read(char* bytes, std::size_t length) override {
    return judge(recv(socket_, bytes, std::min<std::size_t>(length, most), MSG_DONTWAIT));
  }
  long discard(std::size_t length) override {
    return judge(recv(socket_, nullptr, std::min<std::size_t>(length, most), MSG_TRUNC | MSG_DONTWAIT));
  }
  long write(const char* bytes, std::size_t length) override {
    return judge(send(socket_, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL));
  }

 private:
  static long judge(ssize_t result) {
    if (result > 0) return result;
    return result < 0 && (errno == EAGAIN || errno == EINTR) ? again : gone;
  }

  int socket_;
};

class Tls final : public Transport {
 public:
  Tls(int socket, SSL_CTX* context) : ssl_(SSL_new(context)) {
    SSL_set_fd(ssl_, socket);
    SSL_set_accept_state(ssl_);
  }
  ~Tls() override { SSL_free(ssl_); }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  long read(char* bytes, std::size_t length) override {
    return judge(SSL_read(ssl_, bytes, static_cast<int>(std::min<std::size_t>(length, most))));
  }
  long discard(std::size_t length) override {
    static std::array<char, 1 << 16> scratch;
    return read(scratch.data(), std::min(length, scratch.size()));
  }
  long write(const char* bytes, std::size_t length) override {
    return judge(SSL_write(ssl_, bytes, static_cast<int>(std::min<std::size_t>(length, most))));
  }
  bool wants_write() const override { return wants_write_; }

 private:
  long judge(int result) {
    const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_, result);
    wants_write_ = error == SSL_ERROR_WANT_WRITE;
    if (result > 0) return result;
    return error == SSL_ERROR_WANT_READ || wants_write_ ? again : gone;
  }

  SSL* ssl_;
  bool wants_write_ = false;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(int socket) {
  return std::make_unique<Plain>(socket);
}

std::unique_ptr<Transport> tls_transport(int socket, SSL_CTX* context) {
  return std::make_unique<Tls>(socket, context);
}

SSL_CTX* tls_context(const std::string& certificate, const std::string& key) {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return nullptr;
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Several records with one system call.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, std::size_t{1} << 17U);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1)
    return context;
  SSL_CTX_free(context);
  return nullptr;
}

}  // namespace sink
