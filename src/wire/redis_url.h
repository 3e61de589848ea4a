// The URL of a Redis:
//   redis://[user[:password]@]host[:port][,host[:port]...][/db]              rediss://: with TLS
//   redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db]  rediss+sentinel://: with TLS
//   unix://[user[:password]@]/path/to/redis.sock[?db=n]
// IPv6 addresses are in brackets; user, password and master may be percent-encoded (RFC 3986). ":password@" has no
// user.
#pragma once

#include <cstdint>

#include "wire/url_parts.h"

namespace idgen::wire {

inline constexpr uint16_t kRedisPort = 6379;
inline constexpr uint16_t kSentinelPort = 26379;

struct RedisUrl : UrlLogin, UrlHosts {
  enum class Kind : uint8_t { kNone, kTcp, kUnix, kSentinel };
  Kind kind = Kind::kNone;
  bool tls = false;
  char path[104] = {};    // of a Unix socket
  char master[128] = {};  // the name that Sentinel knows it by
  int db = 0;
};

// nullptr, or what is wrong with `text`. An empty text is an error, too.
const char* ParseRedisUrl(const char* text, RedisUrl* url) noexcept;

// Whether both may lead to one Redis: by the same socket or endpoint, or by the same master at a common Sentinel. Names
// are not resolved. Databases of one Redis share its memory, so they count as one.
bool MayBeOneRedis(const RedisUrl& a, const RedisUrl& b) noexcept;

}  // namespace idgen::wire
