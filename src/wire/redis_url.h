// The URL of a Redis:
//   redis://[user[:password]@]host[:port][,host[:port]...][/db]              rediss://: with TLS
//   redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db]  rediss+sentinel://: with TLS
//   unix://[user[:password]@]/path/to/redis.sock[?db=n]
// IPv6 addresses are in brackets; user, password and master may be percent-encoded (RFC 3986). ":password@" has no
// user.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::wire {

inline constexpr int kMaxEndpoints = 8;
inline constexpr uint16_t kRedisPort = 6379;
inline constexpr uint16_t kSentinelPort = 26379;

struct Endpoint {
  char host[256] = {};  // a name, or an address without brackets
  uint16_t port = 0;

  bool operator==(const Endpoint& other) const noexcept;
};

struct RedisUrl {
  enum class Kind : uint8_t { kNone, kTcp, kUnix, kSentinel };
  Kind kind = Kind::kNone;
  bool tls = false;
  int endpoint_count = 0;
  Endpoint endpoints[kMaxEndpoints];
  char path[104] = {};  // of a Unix socket
  char user[128] = {};
  char password[512] = {};
  char master[128] = {};  // the name that Sentinel knows it by
  int db = 0;
  // The password's position in the text, to hide it.
  size_t password_at = 0;
  size_t password_size = 0;
};

// nullptr, or what is wrong with `text`. An empty text is an error, too.
const char* ParseRedisUrl(const char* text, RedisUrl* url) noexcept;

// Whether both may lead to one Redis: by the same socket or endpoint, or by the same master at a common Sentinel. Names
// are not resolved. Databases of one Redis share its memory, so they count as one.
bool MayBeOneRedis(const RedisUrl& a, const RedisUrl& b) noexcept;

// "host", "host:port" or "[address]:port", as in MOVED and in a list of hosts. nullptr, or what is wrong with it.
const char* ParseEndpoint(const char* begin, const char* end, uint16_t default_port, Endpoint* endpoint) noexcept;

// Digits of a number from 1 to 65535, and nothing else.
bool ParsePort(const char* begin, const char* end, uint16_t* port) noexcept;

}  // namespace idgen::wire
