// Host names by c-ares, stepped by the caller's loop.
#include "io/name_resolver.h"

#include <cstdio>
#include <cstring>

// ares_getsock is the only way of versions before 1.34, and not to be used any more in later ones.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include "core/time.h"

namespace idgen::io {
namespace {

// More than one name server means more than one socket, and a sleeper waits for one: so it looks again so often.
constexpr int64_t kLookAgainUs = 20 * core::kUsPerMs;

}  // namespace

void NameResolver::Begin(const char* host, uint16_t port) noexcept {
  Cancel();
  state_ = State::kBusy;
  count_ = 0;
  // Initialised without the library's process-wide state, which only Windows needs.
  struct ares_options options = {};
  options.timeout = 250;  // ms, of the first try at each name server
  options.tries = 2;
  ares_channel channel = nullptr;
  const int status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_ROTATE);
  channel_ = channel;
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    return Take(status, nullptr);
  }
  struct ares_addrinfo_hints hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  char service[8];
  snprintf(service, sizeof service, "%u", static_cast<unsigned>(port));
  ares_getaddrinfo(
      channel, host, service, &hints,
      [](void* self, int result, int, struct ares_addrinfo* found) {
        static_cast<NameResolver*>(self)->Take(result, found);
      },
      this);
}

void NameResolver::Take(int status, ares_addrinfo* found) noexcept {
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
    if (found != nullptr) ares_freeaddrinfo(found);
    return;
  }
  if (status == ARES_SUCCESS && found != nullptr) {
    for (const struct ares_addrinfo_node* node = found->nodes; node != nullptr && count_ < kMaxAddresses;
         node = node->ai_next) {
      if (node->ai_addrlen > sizeof(struct sockaddr_storage)) continue;
      memcpy(&addresses_[count_].storage, node->ai_addr, node->ai_addrlen);
      addresses_[count_++].size = node->ai_addrlen;
    }
  }
  if (found != nullptr) ares_freeaddrinfo(found);
  state_ = count_ > 0 ? State::kDone : State::kFailed;
  if (count_ == 0) snprintf(problem_, sizeof problem_, "%s", ares_strerror(status));
}

Resolver::State NameResolver::Step() noexcept {
  if (state_ == State::kBusy && channel_ != nullptr) {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const unsigned mask = static_cast<unsigned>(ares_getsock(channel_, sockets, ARES_GETSOCK_MAXNUM));
    bool processed = false;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM && state_ == State::kBusy; ++i) {
      const bool reads = ARES_GETSOCK_READABLE(mask, i), writes = ARES_GETSOCK_WRITABLE(mask, i);
      if (!reads && !writes) continue;
      struct pollfd ready = {
          .fd = sockets[i], .events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), .revents = 0};
      if (poll(&ready, 1, 0) <= 0) continue;
      processed = true;
      ares_process_fd(channel_, reads ? sockets[i] : ARES_SOCKET_BAD, writes ? sockets[i] : ARES_SOCKET_BAD);
    }
    if (!processed && state_ == State::kBusy) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // timeouts
  }
  if (state_ != State::kBusy && channel_ != nullptr) {
    ares_channel done = channel_;
    channel_ = nullptr;
    ares_destroy(done);
  }
  return state_;
}

Wants NameResolver::wants(int64_t now_boot_us) const noexcept {
  Wants wants{.wake_boot_us = now_boot_us + kLookAgainUs};
  if (channel_ == nullptr) return wants;
  ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
  const unsigned mask = static_cast<unsigned>(ares_getsock(channel_, sockets, ARES_GETSOCK_MAXNUM));
  if (ARES_GETSOCK_READABLE(mask, 0)) {
    wants.fd = sockets[0];
    wants.read = true;
  }
  return wants;
}

void NameResolver::Cancel() noexcept {
  state_ = State::kIdle;
  if (channel_ == nullptr) return;
  ares_channel channel = channel_;
  channel_ = nullptr;
  ares_destroy(channel);
}

}  // namespace idgen::io
