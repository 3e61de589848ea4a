// Encryption of a socket, by OpenSSL (1.1.1 or later). Without it at build time, Make fails and says so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/transport.h"

namespace idgen::io {

class Tls {
 public:
  // Whether this build can encrypt at all.
  static bool Built() noexcept;

  // nullptr, and `problem` filled in, where it can't be. The certificate must be `host`'s, a name or an address.
  static Tls* Make(int fd, const TlsFiles& files, const char* host, char* problem, size_t problem_size) noexcept;
  void Free() noexcept;

  // 1, 0 where the other side must say more first, or a negative errno with problem() set.
  int Handshake() noexcept;
  int64_t Send(const char* bytes, size_t size) noexcept;
  int64_t Receive(char* bytes, size_t capacity) noexcept;
  bool wants_write() const noexcept { return wants_write_; }
  // Bytes are there to be received of which the socket knows nothing any more.
  bool has_received() const noexcept;
  const char* problem() const noexcept { return problem_; }

 private:
  int64_t Judge(int result) noexcept;

  void* context_ = nullptr;  // SSL_CTX
  void* session_ = nullptr;  // SSL
  bool wants_write_ = false;
  char problem_[256] = {};
};

}  // namespace idgen::io
