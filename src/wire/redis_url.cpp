// Reading the URL of a Redis.
#include "wire/redis_url.h"

#include <cstring>

#include "core/decimal.h"

namespace idgen::wire {
namespace {

int HexDigit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes percent-encoding. False if the result does not fit or has a zero byte, or the encoding is invalid.
bool Decode(const char* begin, const char* end, char* to, size_t capacity) noexcept {
  size_t size = 0;
  for (const char* from = begin; from != end; ++from) {
    char c = *from;
    if (c == '%') {
      if (end - from < 3 || HexDigit(from[1]) < 0 || HexDigit(from[2]) < 0) return false;
      c = static_cast<char>(HexDigit(from[1]) * 16 + HexDigit(from[2]));
      from += 2;
    }
    if (c == '\0' || size + 1 >= capacity) return false;
    to[size++] = c;
  }
  to[size] = '\0';
  return true;
}

const char* Find(const char* begin, const char* end, char c) noexcept {
  const void* found = begin == end ? nullptr : memchr(begin, c, static_cast<size_t>(end - begin));
  return found == nullptr ? end : static_cast<const char*>(found);
}

const char* FindLast(const char* begin, const char* end, char c) noexcept {
  for (const char* at = end; at != begin; --at)
    if (at[-1] == c) return at - 1;
  return end;
}

bool ConsumePrefix(const char** text, const char* prefix) noexcept {
  const size_t size = strlen(prefix);
  if (strncmp(*text, prefix, size) != 0) return false;
  *text += size;
  return true;
}

const char* ParseUser(const char* text, const char* begin, const char* end, RedisUrl* url) noexcept {
  const char* colon = Find(begin, end, ':');
  if (!Decode(begin, colon, url->user, sizeof url->user)) return "the user is too long or wrongly encoded";
  if (colon == end) return nullptr;
  url->password_at = static_cast<size_t>(colon + 1 - text);
  url->password_size = static_cast<size_t>(end - colon - 1);
  if (!Decode(colon + 1, end, url->password, sizeof url->password))
    return "the password is too long or wrongly encoded";
  return nullptr;
}

const char* ParseHosts(const char* begin, const char* end, uint16_t default_port, RedisUrl* url) noexcept {
  while (true) {
    const char* comma = Find(begin, end, ',');
    if (url->endpoint_count == kMaxEndpoints) return "it names more than 8 hosts";
    if (begin != comma && *begin != '[' && Find(begin, comma, ':') != FindLast(begin, comma, ':'))
      return "an IPv6 address must be in brackets";
    if (const char* problem = ParseEndpoint(begin, comma, default_port, &url->endpoints[url->endpoint_count++]))
      return problem;
    if (comma == end) return nullptr;
    begin = comma + 1;
  }
}

bool ReadDb(const char* begin, const char* end, int* db) noexcept {
  constexpr int kMaxDb = 65535;
  int64_t number;
  if (!core::ReadDigits({begin, end}, kMaxDb, &number)) return false;
  *db = static_cast<int>(number);
  return true;
}

const char* ParseUnix(const char* begin, const char* end, RedisUrl* url) noexcept {
  const char* question = Find(begin, end, '?');
  if (begin == question || *begin != '/') return "the path of the socket must begin with a /";
  if (!Decode(begin, question, url->path, sizeof url->path)) return "the path of the socket is too long";
  if (question == end) return nullptr;
  const char* value = question + 1;
  if (!ConsumePrefix(&value, "db=") || !ReadDb(value, end, &url->db))
    return "after the path only ?db= and a number may follow";
  return nullptr;
}

}  // namespace

bool Endpoint::operator==(const Endpoint& other) const noexcept {
  return port == other.port && strcmp(host, other.host) == 0;
}

bool ParsePort(const char* begin, const char* end, uint16_t* port) noexcept {
  int64_t number;
  if (!core::ReadDigits({begin, end}, UINT16_MAX, &number) || number == 0) return false;
  *port = static_cast<uint16_t>(number);
  return true;
}

bool MayBeOneRedis(const RedisUrl& a, const RedisUrl& b) noexcept {
  if (a.kind != b.kind) return false;
  if (a.kind == RedisUrl::Kind::kUnix) return strcmp(a.path, b.path) == 0;
  if (strcmp(a.master, b.master) != 0) return false;
  for (int i = 0; i < a.endpoint_count; ++i)
    for (int j = 0; j < b.endpoint_count; ++j)
      if (a.endpoints[i] == b.endpoints[j]) return true;
  return false;
}

const char* ParseEndpoint(const char* begin, const char* end, uint16_t default_port, Endpoint* endpoint) noexcept {
  const char *host_begin = begin, *host_end, *rest;
  if (begin != end && *begin == '[') {
    host_begin = begin + 1;
    host_end = Find(host_begin, end, ']');
    if (host_end == end) return "the bracket after an IPv6 address is missing";
    rest = host_end + 1;
  } else {
    // An IPv6 address without brackets, as MOVED writes it, has its port after the last colon.
    host_end = rest = FindLast(begin, end, ':');
  }
  if (host_begin == host_end) return "a host name is missing";
  if (static_cast<size_t>(host_end - host_begin) >= sizeof endpoint->host)
    return "a host name is longer than 255 bytes";
  for (const char* c = host_begin; c != host_end; ++c)
    if (*c <= ' ' || *c == '/' || *c == '@' || *c >= 127) return "a host name has a character that no host name has";
  uint16_t port = default_port;
  if (rest != end && *rest != ':') return "after the bracket of an IPv6 address only a port may follow";
  if (rest != end && !ParsePort(rest + 1, end, &port)) return "a port is not a number from 1 to 65535";
  memcpy(endpoint->host, host_begin, static_cast<size_t>(host_end - host_begin));
  endpoint->host[host_end - host_begin] = '\0';
  endpoint->port = port;
  return nullptr;
}

const char* ParseRedisUrl(const char* text, RedisUrl* url) noexcept {
  *url = RedisUrl();
  const char* begin = text;
  if (ConsumePrefix(&begin, "redis://")) {
    url->kind = RedisUrl::Kind::kTcp;
  } else if (ConsumePrefix(&begin, "rediss://")) {
    url->kind = RedisUrl::Kind::kTcp;
    url->tls = true;
  } else if (ConsumePrefix(&begin, "redis+sentinel://")) {
    url->kind = RedisUrl::Kind::kSentinel;
  } else if (ConsumePrefix(&begin, "rediss+sentinel://")) {
    url->kind = RedisUrl::Kind::kSentinel;
    url->tls = true;
  } else if (ConsumePrefix(&begin, "unix://")) {
    url->kind = RedisUrl::Kind::kUnix;
  } else {
    return "it must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel:// or unix://";
  }
  const char* end = begin + strlen(begin);

  // The user part ends at the last @ before the path, so that a password may hold one.
  const char* user_end = FindLast(begin, Find(begin, end, '/'), '@');
  if (user_end != end && *user_end == '@') {
    if (const char* problem = ParseUser(text, begin, user_end, url)) return problem;
    begin = user_end + 1;
  }
  if (url->kind == RedisUrl::Kind::kUnix) return ParseUnix(begin, end, url);

  const bool sentinel = url->kind == RedisUrl::Kind::kSentinel;
  const char* slash = Find(begin, end, '/');
  if (const char* problem = ParseHosts(begin, slash, sentinel ? kSentinelPort : kRedisPort, url)) return problem;
  const char* rest = slash == end ? end : slash + 1;
  if (sentinel) {
    const char* master_end = Find(rest, end, '/');
    if (rest == master_end) return "the name of the master is missing: redis+sentinel://host:26379/mymaster";
    if (!Decode(rest, master_end, url->master, sizeof url->master))
      return "the name of the master is too long or wrongly encoded";
    rest = master_end == end ? end : master_end + 1;
  }
  if (rest != end && !ReadDb(rest, end, &url->db)) return "the database after the / must be a number";
  return nullptr;
}

}  // namespace idgen::wire
