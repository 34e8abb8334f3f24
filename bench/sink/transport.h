// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>

namespace sink {

/// One accepted socket, plain or with TLS; never blocks. Each call gives a number of bytes, `again` or `gone`.
class Transport {
 public:
  static constexpr long again = -1;  ///< ask once more when the socket is ready
  static constexpr long gone = -2;   ///< ended or broken

  virtual ~Transport() = default;
  virtual long read(char* bytes, std::size_t length) = 0;
  /// Reads and throws away.
  virtual long discard(std::size_t length) = 0;
  virtual long write(const char* bytes, std::size_t length) = 0;
  /// Whether `again` means that the socket must become writable.
  virtual bool wants_write() const { return false; }
};

/// Without TLS. Discarded bytes are dropped by the kernel (MSG_TRUNC) and never copied.
std::unique_ptr<Transport> plain_transport(int socket);

/// With TLS: every byte is decrypted, as a real store has to.
std::unique_ptr<Transport> tls_transport(int socket, SSL_CTX* context);

/// A server's context with this certificate; a null pointer if it cannot be read.
SSL_CTX* tls_context(const std::string& certificate, const std::string& key);

}  // namespace sink
