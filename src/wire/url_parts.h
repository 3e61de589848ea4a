// What the URLs of all stores have in common: user, password, hosts, and percent-encoding (RFC 3986).
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::wire {

inline constexpr int kMaxEndpoints = 8;

struct Endpoint {
  char host[256] = {};  // a name, or an address without brackets
  uint16_t port = 0;

  bool operator==(const Endpoint& other) const noexcept;
};

struct UrlLogin {
  char user[128] = {};
  char password[512] = {};
  // The password's position in the text, to hide it.
  size_t password_at = 0;
  size_t password_size = 0;
};

struct UrlHosts {
  int endpoint_count = 0;
  Endpoint endpoints[kMaxEndpoints];
};

// Names are not resolved.
bool HaveCommonEndpoint(const UrlHosts& a, const UrlHosts& b) noexcept;
// Goes on from a hash of core/fnv.h. The result is in records on disk.
uint64_t HashEndpoints(uint64_t hash, const UrlHosts& hosts) noexcept;

// Functions that return a text return nullptr, or what is wrong with the URL.

// "host", "host:port" or "[address]:port", as in MOVED and in a list of hosts.
const char* ParseEndpoint(const char* begin, const char* end, uint16_t default_port, Endpoint* endpoint) noexcept;
// Endpoints with a comma between them, to be added to `hosts`.
const char* ParseHosts(const char* begin, const char* end, uint16_t default_port, UrlHosts* hosts) noexcept;
// Digits of a number from 1 to 65535, and nothing else.
bool ParsePort(const char* begin, const char* end, uint16_t* port) noexcept;

// Reads "user[:password]@" if [*begin, end) has it, and moves *begin behind it. `text` is the start of the URL.
const char* ParseLogin(const char* text, const char** begin, const char* end, UrlLogin* login) noexcept;

// Decodes percent-encoding. False if the result does not fit or has a zero byte, or the encoding is invalid.
bool DecodeUrlText(const char* begin, const char* end, char* to, size_t capacity) noexcept;

// The first or last `c`, or `end`.
const char* FindFirst(const char* begin, const char* end, char c) noexcept;
const char* FindLast(const char* begin, const char* end, char c) noexcept;

bool ConsumePrefix(const char** text, const char* prefix) noexcept;

}  // namespace idgen::wire
