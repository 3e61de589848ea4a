// A non-blocking stream socket, encrypted by OpenSSL if requested.
#pragma once

#include "io/transport.h"

namespace idgen::io {

class Tls;

// Close frees memory and descriptors. There is no destructor, since PostgreSQL may leave frames by longjmp.
class Socket final : public Transport {
 public:
  int Open(const Address& address) noexcept override;
  int Encrypt(const TlsFiles& files, const char* host) noexcept override;
  int Connected() noexcept override;
  int64_t Send(const char* bytes, size_t size) noexcept override;
  int64_t Receive(char* bytes, size_t capacity) noexcept override;
  Wants wants(bool has_to_send) const noexcept override;
  const char* problem() const noexcept override { return problem_; }
  void Close() noexcept override;

 private:
  int Fail(int error) noexcept;
  int64_t FailTls(int64_t error) noexcept;

  int fd_ = -1;
  bool connecting_ = false;
  Tls* tls_ = nullptr;
  char problem_[256] = {};
};

}  // namespace idgen::io
