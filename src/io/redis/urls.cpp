// What is known of a Redis by its URL alone.
#include "io/redis/urls.h"

#include <cstring>

#include "core/fnv.h"
#include "io/tls.h"
#include "wire/redis_url.h"

namespace idgen::io {
namespace {

using wire::RedisUrl;

constexpr const char* kSchemes[] = {"redis://", "rediss://", "redis+sentinel://", "rediss+sentinel://", "unix://"};

bool HasScheme(const char* url) noexcept {
  for (const char* scheme : kSchemes)
    if (strncmp(url, scheme, strlen(scheme)) == 0) return true;
  return false;
}

const char* Validate(const char* text, PasswordPosition* password) noexcept {
  RedisUrl url;
  if (const char* problem = wire::ParseRedisUrl(text, &url)) return problem;
  if (url.tls && !Tls::Built()) return "idgen was built without TLS, so that rediss:// cannot be used";
  *password = {.at = url.password_at, .size = url.password_size};
  return nullptr;
}

uint64_t Identify(const char* text) noexcept {
  RedisUrl url;
  wire::ParseRedisUrl(text, &url);
  uint64_t hash = core::kFnvStart;
  const auto mix = [&hash](const void* bytes, size_t size) { hash = core::Fnv(hash, bytes, size); };
  mix(&url.kind, sizeof url.kind);
  hash = wire::HashEndpoints(hash, url);
  mix(url.path, strlen(url.path) + 1);
  mix(url.master, strlen(url.master) + 1);
  mix(&url.db, sizeof url.db);
  return hash;
}

bool MayBeSame(const char* a, const char* b) noexcept {
  RedisUrl first, second;
  wire::ParseRedisUrl(a, &first);
  wire::ParseRedisUrl(b, &second);
  return wire::MayBeOneRedis(first, second);
}

}  // namespace

constinit const UrlKind kRedisUrls = {
    .schemes = "redis://, rediss://, redis+sentinel://, rediss+sentinel:// or unix://",
    .syntax =
        "redis://[user:password@]host[:port][,host[:port]...][/db], rediss:// for TLS, "
        "redis+sentinel://host[:port],.../master[/db], unix:///path/to/redis.sock[?db=n]",
    .examples =
        "redis://127.0.0.1:6379, rediss://user:password@host/0, redis+sentinel://host:26379/mymaster or "
        "unix:///run/redis/redis.sock",
    .memory_limit = "\"maxmemory\"",
    .evicts_keys = "its \"maxmemory-policy\" is allkeys-...",
    .keep_keys_advice = "Set its \"maxmemory-policy\" to noeviction",
    .forgets = true,
    .max_descriptors = 1,
    .has_scheme = HasScheme,
    .validate = Validate,
    .identify = Identify,
    .may_be_same = MayBeSame};

}  // namespace idgen::io
