// Sockets that never block, and addresses from digits and paths.
#include "io/socket.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/tls.h"

namespace idgen::io {

bool AddressOfDigits(const char* host, uint16_t port, Address* address) noexcept {
  char service[8];
  snprintf(service, sizeof service, "%u", static_cast<unsigned>(port));
  struct addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // so that it asks nobody
  hints.ai_socktype = SOCK_STREAM;
  struct addrinfo* list = nullptr;
  if (getaddrinfo(host, service, &hints, &list) != 0) return false;
  memcpy(&address->storage, list->ai_addr, list->ai_addrlen);
  address->size = list->ai_addrlen;
  freeaddrinfo(list);
  return true;
}

bool AddressOfPath(const char* path, Address* address) noexcept {
  struct sockaddr_un local = {};
  local.sun_family = AF_UNIX;
  const size_t size = strlen(path);
  if (size >= sizeof local.sun_path) return false;
  memcpy(local.sun_path, path, size);
  memcpy(&address->storage, &local, sizeof local);
  address->size = sizeof local;
  return true;
}

int Socket::Fail(int error) noexcept {
  snprintf(problem_, sizeof problem_, "%s", strerror(error));
  return -error;
}

int64_t Socket::FailTls(int64_t error) noexcept {
  snprintf(problem_, sizeof problem_, "%s", tls_->problem());
  return error;
}

int Socket::Open(const Address& address) noexcept {
  Close();
  fd_ = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Fail(errno);
  if (address.storage.ss_family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  connecting_ = true;
  if (connect(fd_, reinterpret_cast<const struct sockaddr*>(&address.storage), address.size) == 0 ||
      errno == EINPROGRESS || errno == EINTR)
    return 0;
  // A Unix socket whose queue is full says EAGAIN: there is nothing that could be waited for.
  return Fail(errno);
}

int Socket::Encrypt(const TlsFiles& files, const char* host) noexcept {
  tls_ = Tls::Make(fd_, files, host, problem_, sizeof problem_);
  return tls_ != nullptr ? 0 : -EPROTO;
}

int Socket::Connected() noexcept {
  if (connecting_) {
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return Fail(errno);
    if (error != 0) return Fail(error);
    if (getpeername(fd_, reinterpret_cast<struct sockaddr*>(&peer), &peer_size) != 0)
      return errno == ENOTCONN ? 0 : Fail(errno);
    connecting_ = false;
  }
  if (tls_ == nullptr) return 1;
  const int result = tls_->Handshake();
  return result < 0 ? static_cast<int>(FailTls(result)) : result;
}

int64_t Socket::Send(const char* bytes, size_t size) noexcept {
  if (tls_ != nullptr) {
    const int64_t result = tls_->Send(bytes, size);
    return result < 0 ? FailTls(result) : result;
  }
  const ssize_t sent = send(fd_, bytes, size, MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : Fail(errno);
}

int64_t Socket::Receive(char* bytes, size_t capacity) noexcept {
  if (tls_ != nullptr) {
    const int64_t result = tls_->Receive(bytes, capacity);
    return result < 0 ? FailTls(result) : result;
  }
  const ssize_t received = recv(fd_, bytes, capacity, 0);
  if (received > 0) return received;
  if (received == 0) {
    snprintf(problem_, sizeof problem_, "the connection was closed by the other side");
    return -ECONNRESET;
  }
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : Fail(errno);
}

Wants Socket::wants(bool has_to_send) const noexcept {
  const bool tls_writes = tls_ != nullptr && tls_->wants_write();
  // What has been decrypted already does not make the socket readable.
  const bool has_received = tls_ != nullptr && tls_->has_received();
  return {.fd = fd_,
          .read = !connecting_,
          .write = connecting_ || has_to_send || tls_writes,
          .wake_boot_us = has_received ? 0 : kNever};
}

void Socket::Close() noexcept {
  if (tls_ != nullptr) tls_->Free();
  tls_ = nullptr;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  connecting_ = false;
}

}  // namespace idgen::io
