// A connection as its user sees it. Nothing here waits or sleeps: Wants says what the connection needs next, and the
// owner of the outermost loop sleeps until then. The real one is a socket; tests have their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/socket.h>

namespace idgen::io {

inline constexpr int64_t kNever = INT64_MAX;

// What has to happen before the next step can do anything.
struct Wants {
  int fd = -1;  // -1: only time
  bool read = false;
  bool write = false;
  int64_t wake_boot_us = kNever;
};

struct Address {
  struct sockaddr_storage storage = {};
  socklen_t size = 0;
};

// A file that the user names, and the setting that names it, for messages.
struct NamedFile {
  const char* path = "";
  const char* setting = "";
};

// How a connection is encrypted. Paths may be empty: then the system's authorities, and no certificate of our own.
struct TlsFiles {
  NamedFile ca = {};
  NamedFile certificate = {};
  NamedFile key = {};
};

// Calls that fail return a negative errno and set problem().
class Transport {
 public:
  virtual int Open(const Address& address) noexcept = 0;
  // After Open: encrypts from the first byte on, and checks that the certificate is that of `host`.
  virtual int Encrypt(const TlsFiles& files, const char* host) noexcept = 0;
  virtual int Connected() noexcept = 0;                                // 1; 0 if not yet
  virtual int64_t Send(const char* bytes, size_t size) noexcept = 0;   // bytes taken; 0 if none can be
  virtual int64_t Receive(char* bytes, size_t capacity) noexcept = 0;  // bytes given; 0 if there are none
  virtual Wants wants(bool has_to_send) const noexcept = 0;
  virtual const char* problem() const noexcept = 0;
  virtual void Close() noexcept = 0;

 protected:
  ~Transport() = default;  // never owned through this interface
};

// From a host name to addresses.
class Resolver {
 public:
  static constexpr int kMaxAddresses = 8;
  enum class State : uint8_t { kIdle, kBusy, kDone, kFailed };

  virtual void Begin(const char* host, uint16_t port) noexcept = 0;
  virtual State Step() noexcept = 0;
  virtual int count() const noexcept = 0;
  virtual const Address& address(int index) const noexcept = 0;
  virtual Wants wants(int64_t now_boot_us) const noexcept = 0;
  virtual const char* problem() const noexcept = 0;
  virtual void Cancel() noexcept = 0;

 protected:
  ~Resolver() = default;
};

// An address written in digits, IPv4 or IPv6 (a scope may follow a %). False for a name.
bool AddressOfDigits(const char* host, uint16_t port, Address* address) noexcept;
// False if the path is too long.
bool AddressOfPath(const char* path, Address* address) noexcept;

}  // namespace idgen::io
