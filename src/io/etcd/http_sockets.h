// The sockets that libcurl has opened for an HttpClient, and the one descriptor by which a sleeper waits for all of
// them.
#pragma once

#include "io/transport.h"

namespace idgen::io {

class HttpSockets {
 public:
  static constexpr int kMax = 5;
  // All of them, and the one to wait for them.
  static constexpr int kMaxDescriptors = kMax + 1;

  // A new socket that does not block, or -1.
  int Open(int family, int type, int protocol) noexcept;
  void Close(int fd) noexcept;
  // What libcurl waits for on a socket from now on.
  void Watch(int fd, bool read, bool write) noexcept;
  void Unwatch(int fd) noexcept;
  bool IsWatched(int fd) const noexcept;

  // The watched sockets on which something has happened, without waiting.
  struct Event {
    int fd;
    bool read;
    bool write;
    bool error;
  };
  int Poll(Event (&events)[kMax]) const noexcept;

  // libcurl sends a body that it reads by a callback after the header, on its own. Each packet wakes etcd, so the
  // kernel is told to hold the header back until the body is there: a value takes a tenth less time. Connections that
  // are being made are left alone, since a TLS handshake must not be held back.
  void Cork() noexcept;
  void Uncork() noexcept;

  // The descriptor to wait for; -1 if no socket is watched.
  int WaitFd() const noexcept;
  Wants wants(int64_t now_us) const noexcept;
  // Whether a connection is open, and none has been closed by the other side.
  bool IsConnected() const noexcept;

  // After libcurl has closed all sockets.
  void Reset() noexcept;

 private:
  struct Socket {
    int fd = -1;
    bool is_watched = false;
    bool read = false;
    bool write = false;
    bool is_corked = false;
  };

  void SetWatch(int fd, bool is_watched, bool read, bool write) noexcept;
  void AddToEpoll(const Socket& socket, int operation) noexcept;

  Socket sockets_[kMax];
  // Made when requests go out side by side for the first time.
  int epoll_fd_ = -1;
};

}  // namespace idgen::io
