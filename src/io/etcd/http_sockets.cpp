// Sockets, polled and waited for together.
#include "io/etcd/http_sockets.h"

#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/time.h"

namespace idgen::io {

int HttpSockets::Open(int family, int type, int protocol) noexcept {
  Socket* room = nullptr;
  for (Socket& socket : sockets_)
    if (socket.fd < 0) room = &socket;
  if (room == nullptr) return -1;
  const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  *room = {.fd = fd};
  return fd;
}

void HttpSockets::Close(int fd) noexcept {
  for (Socket& socket : sockets_)
    if (socket.fd == fd) socket = Socket();
  close(fd);
}

void HttpSockets::Watch(int fd, bool read, bool write) noexcept { SetWatch(fd, true, read, write); }
void HttpSockets::Unwatch(int fd) noexcept { SetWatch(fd, false, false, false); }

void HttpSockets::SetWatch(int fd, bool is_watched, bool read, bool write) noexcept {
  int others = 0;
  for (Socket& socket : sockets_) {
    if (socket.fd != fd) {
      if (socket.is_watched) ++others;
      continue;
    }
    const bool was_watched = socket.is_watched;
    socket = {.fd = fd, .is_watched = is_watched, .read = read, .write = write, .is_corked = socket.is_corked};
    AddToEpoll(socket, !is_watched ? EPOLL_CTL_DEL : was_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
  }
  if (!is_watched || others == 0 || epoll_fd_ >= 0) return;
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  for (const Socket& socket : sockets_)
    if (socket.is_watched) AddToEpoll(socket, EPOLL_CTL_ADD);
}

void HttpSockets::AddToEpoll(const Socket& socket, int operation) noexcept {
  if (epoll_fd_ < 0) return;
  struct epoll_event event = {};
  event.events = (socket.read ? EPOLLIN : 0u) | (socket.write ? EPOLLOUT : 0u);
  event.data.fd = socket.fd;
  epoll_ctl(epoll_fd_, operation, socket.fd, &event);
}

bool HttpSockets::IsWatched(int fd) const noexcept {
  for (const Socket& socket : sockets_)
    if (socket.fd == fd) return socket.is_watched;
  return false;
}

int HttpSockets::Poll(Event (&events)[kMax]) const noexcept {
  struct pollfd polled[kMax];
  nfds_t count = 0;
  for (const Socket& socket : sockets_)
    if (socket.is_watched && (socket.read || socket.write))
      polled[count++] = {.fd = socket.fd,
                         .events = static_cast<short>((socket.read ? POLLIN : 0) | (socket.write ? POLLOUT : 0)),
                         .revents = 0};
  if (count == 0 || poll(polled, count, 0) <= 0) return 0;
  int happened = 0;
  for (nfds_t i = 0; i < count; ++i) {
    const short got = polled[i].revents;
    if (got == 0) continue;
    events[happened++] = {.fd = polled[i].fd,
                          .read = (got & POLLIN) != 0,
                          .write = (got & POLLOUT) != 0,
                          .error = (got & (POLLERR | POLLHUP)) != 0};
  }
  return happened;
}

void HttpSockets::Cork() noexcept {
#ifdef TCP_CORK
  for (Socket& socket : sockets_) {
    if (socket.fd < 0 || socket.is_watched || socket.is_corked) continue;
    const int on = 1;
    socket.is_corked = setsockopt(socket.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0;
  }
#endif
}

void HttpSockets::Uncork() noexcept {
#ifdef TCP_CORK
  for (Socket& socket : sockets_) {
    if (!socket.is_corked) continue;
    const int off = 0;
    setsockopt(socket.fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    socket.is_corked = false;
  }
#endif
}

int HttpSockets::WaitFd() const noexcept {
  if (epoll_fd_ >= 0) return epoll_fd_;
  for (const Socket& socket : sockets_)
    if (socket.is_watched) return socket.fd;
  return -1;
}

Wants HttpSockets::wants(int64_t now_us) const noexcept {
  constexpr int64_t kLookAgainUs = 5 * core::kUsPerMs;  // if there is no descriptor for all sockets
  Wants wants{.fd = WaitFd()};
  int watched = 0;
  for (const Socket& socket : sockets_) {
    if (!socket.is_watched) continue;
    ++watched;
    wants.read = wants.read || socket.read;
    wants.write = wants.write || socket.write;
  }
  if (watched == 0) return {};
  if (epoll_fd_ >= 0) {
    wants.read = true;
    wants.write = false;
  } else if (watched > 1) {
    wants.wake_boot_us = now_us + kLookAgainUs;
  }
  return wants;
}

bool HttpSockets::IsConnected() const noexcept {
  bool is_open = false;
  for (const Socket& socket : sockets_) {
    if (socket.fd < 0) continue;
    is_open = true;
    char byte;
    const ssize_t got = recv(socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return false;
  }
  return is_open;
}

void HttpSockets::Reset() noexcept {
  if (epoll_fd_ >= 0) close(epoll_fd_);
  *this = HttpSockets();
}

}  // namespace idgen::io
