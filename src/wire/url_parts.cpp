// Reading the parts of a store's URL.
#include "wire/url_parts.h"

#include <cstring>

#include "core/decimal.h"
#include "core/fnv.h"

namespace idgen::wire {
namespace {

int HexDigit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

const char* ParseUser(const char* text, const char* begin, const char* end, UrlLogin* login) noexcept {
  const char* colon = FindFirst(begin, end, ':');
  if (!DecodeUrlText(begin, colon, login->user, sizeof login->user)) return "the user is too long or wrongly encoded";
  if (colon == end) return nullptr;
  login->password_at = static_cast<size_t>(colon + 1 - text);
  login->password_size = static_cast<size_t>(end - colon - 1);
  if (!DecodeUrlText(colon + 1, end, login->password, sizeof login->password))
    return "the password is too long or wrongly encoded";
  return nullptr;
}

}  // namespace

bool HaveCommonEndpoint(const UrlHosts& a, const UrlHosts& b) noexcept {
  for (int i = 0; i < a.endpoint_count; ++i)
    for (int j = 0; j < b.endpoint_count; ++j)
      if (a.endpoints[i] == b.endpoints[j]) return true;
  return false;
}

uint64_t HashEndpoints(uint64_t hash, const UrlHosts& hosts) noexcept {
  for (int i = 0; i < hosts.endpoint_count; ++i) {
    const Endpoint& endpoint = hosts.endpoints[i];
    hash = core::Fnv(hash, endpoint.host, strlen(endpoint.host) + 1);
    hash = core::Fnv(hash, &endpoint.port, sizeof endpoint.port);
  }
  return hash;
}

bool Endpoint::operator==(const Endpoint& other) const noexcept {
  return port == other.port && strcmp(host, other.host) == 0;
}

bool ParsePort(const char* begin, const char* end, uint16_t* port) noexcept {
  int64_t number;
  if (!core::ReadDigits({begin, end}, UINT16_MAX, &number) || number == 0) return false;
  *port = static_cast<uint16_t>(number);
  return true;
}

bool DecodeUrlText(const char* begin, const char* end, char* to, size_t capacity) noexcept {
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

const char* FindFirst(const char* begin, const char* end, char c) noexcept {
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

// The user ends at the last @ before the path, so that a password may hold one.
const char* ParseLogin(const char* text, const char** begin, const char* end, UrlLogin* login) noexcept {
  const char* user_end = FindLast(*begin, FindFirst(*begin, end, '/'), '@');
  if (user_end == end || *user_end != '@') return nullptr;
  const char* user = *begin;
  *begin = user_end + 1;
  return ParseUser(text, user, user_end, login);
}

const char* ParseEndpoint(const char* begin, const char* end, uint16_t default_port, Endpoint* endpoint) noexcept {
  const char *host_begin = begin, *host_end, *rest;
  if (begin != end && *begin == '[') {
    host_begin = begin + 1;
    host_end = FindFirst(host_begin, end, ']');
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

const char* ParseHosts(const char* begin, const char* end, uint16_t default_port, UrlHosts* hosts) noexcept {
  while (true) {
    const char* comma = FindFirst(begin, end, ',');
    if (hosts->endpoint_count == kMaxEndpoints) return "it names more than 8 hosts";
    if (begin != comma && *begin != '[' && FindFirst(begin, comma, ':') != FindLast(begin, comma, ':'))
      return "an IPv6 address must be in brackets";
    if (const char* problem = ParseEndpoint(begin, comma, default_port, &hosts->endpoints[hosts->endpoint_count++]))
      return problem;
    if (comma == end) return nullptr;
    begin = comma + 1;
  }
}

}  // namespace idgen::wire
