// Reading the URL of a Redis.
#include "wire/redis_url.h"

#include <cstring>

#include "core/decimal.h"

namespace idgen::wire {
namespace {

bool ReadDb(const char* begin, const char* end, int* db) noexcept {
  constexpr int kMaxDb = 65535;
  int64_t number;
  if (!core::ReadDigits({begin, end}, kMaxDb, &number)) return false;
  *db = static_cast<int>(number);
  return true;
}

const char* ParseUnix(const char* begin, const char* end, RedisUrl* url) noexcept {
  const char* question = FindFirst(begin, end, '?');
  if (begin == question || *begin != '/') return "the path of the socket must begin with a /";
  if (!DecodeUrlText(begin, question, url->path, sizeof url->path)) return "the path of the socket is too long";
  if (question == end) return nullptr;
  const char* value = question + 1;
  if (!ConsumePrefix(&value, "db=") || !ReadDb(value, end, &url->db))
    return "after the path only ?db= and a number may follow";
  return nullptr;
}

}  // namespace

bool MayBeOneRedis(const RedisUrl& a, const RedisUrl& b) noexcept {
  if (a.kind != b.kind) return false;
  if (a.kind == RedisUrl::Kind::kUnix) return strcmp(a.path, b.path) == 0;
  if (strcmp(a.master, b.master) != 0) return false;
  return HaveCommonEndpoint(a, b);
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
  if (const char* problem = ParseLogin(text, &begin, end, url)) return problem;
  if (url->kind == RedisUrl::Kind::kUnix) return ParseUnix(begin, end, url);

  const bool sentinel = url->kind == RedisUrl::Kind::kSentinel;
  const char* slash = FindFirst(begin, end, '/');
  if (const char* problem = ParseHosts(begin, slash, sentinel ? kSentinelPort : kRedisPort, url)) return problem;
  const char* rest = slash == end ? end : slash + 1;
  if (sentinel) {
    const char* master_end = FindFirst(rest, end, '/');
    if (rest == master_end) return "the name of the master is missing: redis+sentinel://host:26379/mymaster";
    if (!DecodeUrlText(rest, master_end, url->master, sizeof url->master))
      return "the name of the master is too long or wrongly encoded";
    rest = master_end == end ? end : master_end + 1;
  }
  if (rest != end && !ReadDb(rest, end, &url->db)) return "the database after the / must be a number";
  return nullptr;
}

}  // namespace idgen::wire
