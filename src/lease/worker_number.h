// Worker ids derived from the machine's host name, environment or addresses, which are passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace idgen::lease {

enum class NumberSource : uint8_t {
  kStatic,    // the setting idgen.worker_id
  kHostname,  // the trailing ordinal of the host name: "db-3" is 3
  kEnv,       // an environment variable of the postmaster
  kIp,        // the low bits of the private IPv4 address
  kLease,     // leased from a store
};

// A decimal number and nothing else, at most kMaxWorker.
std::optional<uint32_t> NumberOfText(const char* text) noexcept;

// The ordinal of a StatefulSet's pod: the digits after the last '-' of the first label. "db3" has none, nor has
// "web-7d9f8b6c5-x2x7", a pod of a Deployment.
std::optional<uint32_t> NumberOfHostname(const char* hostname) noexcept;

// 10/8, 172.16/12, 192.168/16 (RFC 1918), or 169.254/16 (RFC 3927). `address` is in host byte order.
bool IsPrivate(uint32_t address) noexcept;

// The low `width` bits of the private addresses among `addresses`. None if there are no private addresses, or if they
// disagree: a bridge with the same address on every host must not be taken for the host's own address.
struct AddressNumber {
  std::optional<uint32_t> number;
  uint32_t address = 0;  // one with that number
  size_t private_count = 0;
};
AddressNumber NumberOfAddresses(const uint32_t* addresses, size_t count, unsigned width) noexcept;

}  // namespace idgen::lease
