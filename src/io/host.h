// The machine's name and addresses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::io {

inline constexpr size_t kMaxHostname = 256;
inline constexpr size_t kMaxAddresses = 64;

// 0, or a negative errno.
int ReadHostname(char (&hostname)[kMaxHostname]) noexcept;

// The IPv4 addresses, in host byte order, of the interfaces that are up, except the loopback's; of one interface only
// if `interface` is not empty. Returns their number (at most kMaxAddresses) or a negative errno.
int ReadAddresses(const char* interface, uint32_t (&addresses)[kMaxAddresses]) noexcept;

}  // namespace idgen::io
