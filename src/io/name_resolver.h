// Host names to addresses without waiting, by c-ares: the C library blocks while a name server is silent. c-ares
// reads /etc/hosts and /etc/resolv.conf, and knows no other sources of names (mDNS, LDAP).
#pragma once

#include "io/transport.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace idgen::io {

class NameResolver final : public Resolver {
 public:
  void Begin(const char* host, uint16_t port) noexcept override;
  State Step() noexcept override;
  int count() const noexcept override { return count_; }
  const Address& address(int index) const noexcept override { return addresses_[index]; }
  Wants wants(int64_t now_boot_us) const noexcept override;
  const char* problem() const noexcept override { return problem_; }
  void Cancel() noexcept override;

 private:
  void Take(int status, ares_addrinfo* found) noexcept;

  ares_channeldata* channel_ = nullptr;
  State state_ = State::kIdle;
  int count_ = 0;
  Address addresses_[kMaxAddresses];
  char problem_[256] = {};
};

}  // namespace idgen::io
