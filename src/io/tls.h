// Encryption of a socket, by OpenSSL (1.1.1 or later). In a build without it, Tls::Make() fails and says so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/transport.h"

namespace idgen::io {

class Tls {
 public:
  // Whether this build can encrypt at all.
  static bool Built() noexcept;

  // nullptr, with `problem` set, on failure. The certificate must be that of `host`, a name or an address.
  static Tls* Make(int fd, const TlsFiles& files, const char* host, char* problem, size_t problem_size) noexcept;
  void Free() noexcept;

  // 1 when done, 0 if the other side must send more first, or a negative errno with problem() set.
  int Handshake() noexcept;
  int64_t Send(const char* bytes, size_t size) noexcept;
  int64_t Receive(char* bytes, size_t capacity) noexcept;
  bool wants_write() const noexcept { return wants_write_; }
  // Decrypted bytes are left to receive, which the socket does not report as readable.
  bool has_received() const noexcept;
  const char* problem() const noexcept { return problem_; }

 private:
  int64_t Interpret(int result) noexcept;

  void* context_ = nullptr;  // SSL_CTX
  void* session_ = nullptr;  // SSL
  bool wants_write_ = false;
  char problem_[256] = {};
};

}  // namespace idgen::io
