// What the machine says of itself: its name and its addresses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::io {

inline constexpr size_t kMaxHostname = 256;
inline constexpr size_t kMaxAddresses = 64;

// 0, or a negative errno.
int ReadHostname(char (&hostname)[kMaxHostname]) noexcept;

// The IPv4 addresses of the interfaces that are up, in host byte order, without the loopback's; of one interface where
// `interface` names it. Their number (at most kMaxAddresses), or a negative errno.
int ReadAddresses(const char* interface, uint32_t (&addresses)[kMaxAddresses]) noexcept;

}  // namespace idgen::io
