// Store URLs: an accepted URL is within its bounds, survives a round trip through text, and hides its password at the
// position that it reports.
#include "fuzz.h"

#include "wire/etcd_url.h"
#include "wire/redis_url.h"

namespace {

using namespace idgen;
using fuzz::Require;
using wire::RedisUrl;

std::string Encoded(std::string_view text, std::string_view kept = "") {
  std::string out;
  for (const char c : text) {
    char code[4];
    snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    const bool stays = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || kept.find(c) != std::string_view::npos;
    out += stays ? std::string(1, c) : code;
  }
  return out;
}

std::string Written(const RedisUrl& url) {
  const bool is_sentinel = url.kind == RedisUrl::Kind::kSentinel, is_unix = url.kind == RedisUrl::Kind::kUnix;
  std::string text = is_unix ? "unix" : url.tls ? "rediss" : "redis";
  if (is_sentinel) text += "+sentinel";
  text += "://";
  if (*url.user != '\0' || url.password_at != 0) {
    text += Encoded(url.user);
    if (url.password_at != 0) text += ":" + Encoded(url.password);
    text += "@";
  }
  if (is_unix) return text + Encoded(url.path, "/") + "?db=" + std::to_string(url.db);
  for (int i = 0; i < url.endpoint_count; ++i) {
    const std::string host = url.endpoints[i].host;
    const bool needs_brackets = host.find(':') != std::string::npos || host[0] == '[';
    text += i > 0 ? "," : "";
    text += (needs_brackets ? "[" + host + "]" : host) + ":" + std::to_string(url.endpoints[i].port);
  }
  if (is_sentinel) text += "/" + Encoded(url.master);
  return text + "/" + std::to_string(url.db);
}

bool SameBut(const RedisUrl& a, const RedisUrl& b, const char* password_of_b) {
  return a.kind == b.kind && a.tls == b.tls && a.endpoint_count == b.endpoint_count &&
         std::equal(a.endpoints, a.endpoints + a.endpoint_count, b.endpoints) && strcmp(a.path, b.path) == 0 &&
         strcmp(a.user, b.user) == 0 && strcmp(b.password, password_of_b) == 0 && strcmp(a.master, b.master) == 0 &&
         a.db == b.db;
}

void Check(const RedisUrl& url, const std::string& text) {
  const bool is_unix = url.kind == RedisUrl::Kind::kUnix;
  Require(url.kind != RedisUrl::Kind::kNone, "the URL has a kind");
  Require(is_unix ? url.path[0] == '/' && url.endpoint_count == 0
                  : url.endpoint_count >= 1 && url.endpoint_count <= wire::kMaxEndpoints,
          "a path, or hosts");
  for (int i = 0; i < url.endpoint_count; ++i) {
    Require(url.endpoints[i].port > 0, "a port is valid");
    Require(*url.endpoints[i].host != '\0' && fuzz::IsPrintable(url.endpoints[i].host), "a host is printable ASCII");
  }
  Require(url.db >= 0 && url.db <= 65535, "a database is valid");
  Require(url.password_at + url.password_size <= text.size(), "the password is within the text");

  RedisUrl again;
  Require(wire::ParseRedisUrl(Written(url).c_str(), &again) == nullptr, "a URL that was written can be read");
  Require(SameBut(url, again, url.password), "a URL reads as it was written");
  if (url.password_size == 0) return Require(*url.password == '\0', "a password without a size is empty");
  std::string hidden = text;
  hidden.replace(url.password_at, url.password_size, "***");
  Require(wire::ParseRedisUrl(hidden.c_str(), &again) == nullptr && SameBut(url, again, "***"),
          "the password is hidden, and nothing else");
}

// The same of an etcd's.
void CheckEtcd(const std::string& text) {
  wire::EtcdUrl url, again;
  const char* problem = wire::ParseEtcdUrl(text.c_str(), &url);
  if (problem != nullptr) return Require(*problem != '\0', "a rejected URL has a reason");
  Require(wire::HasEtcdScheme(text.c_str()), "the URL has a scheme of etcd's");
  std::string written = url.tls ? "etcds://" : "etcd://";
  if (*url.user != '\0') written += Encoded(url.user) + (url.password_at != 0 ? ":" + Encoded(url.password) : "") + "@";
  Require(url.endpoint_count >= 1 && url.endpoint_count <= wire::kMaxEndpoints, "there are hosts");
  for (int i = 0; i < url.endpoint_count; ++i) {
    const std::string host = url.endpoints[i].host;
    Require(host.find_first_of("/?#@[]\\\"' ") == std::string::npos && fuzz::IsPrintable(host), "a host is a host");
    Require(url.endpoints[i].port > 0, "a port is valid");
    written += (i > 0 ? "," : "") + (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" +
               std::to_string(url.endpoints[i].port);
  }
  const std::string prefix = url.prefix;
  Require(prefix.empty() || prefix[0] == '/', "a prefix begins with a slash");
  if (!prefix.empty()) written += "/" + Encoded(prefix.substr(1));
  Require(wire::ParseEtcdUrl(written.c_str(), &again) == nullptr, "a URL that was written can be read");
  Require(again.tls == url.tls && again.endpoint_count == url.endpoint_count &&
              std::equal(url.endpoints, url.endpoints + url.endpoint_count, again.endpoints) &&
              strcmp(again.user, url.user) == 0 && strcmp(again.password, url.password) == 0 && prefix == again.prefix,
          "a URL reads as it was written");
  Require(url.password_at + url.password_size <= text.size(), "the password is within the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string text = std::string(reinterpret_cast<const char*>(bytes), size).c_str();
  RedisUrl url;
  const char* problem = wire::ParseRedisUrl(text.c_str(), &url);
  if (problem == nullptr)
    Check(url, text);
  else
    Require(*problem != '\0', "a rejected URL has a reason");
  CheckEtcd(text);
  wire::Endpoint endpoint;
  const char* no_endpoint = wire::ParseEndpoint(text.data(), text.data() + text.size(), 1, &endpoint);
  if (no_endpoint == nullptr) Require(endpoint.port > 0 && *endpoint.host != '\0', "an endpoint is a host and a port");
  return 0;
}
