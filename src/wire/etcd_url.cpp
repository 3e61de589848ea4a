// Reading the URL of an etcd cluster.
#include "wire/etcd_url.h"

#include <cstring>

namespace idgen::wire {
namespace {

// The host becomes a part of an HTTP URL, which must not be able to say anything else.
bool IsHost(const char* host) noexcept {
  const bool is_address = strchr(host, ':') != nullptr;
  for (const char* c = host; *c != '\0'; ++c) {
    const bool is_alphanumeric = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
    if (!is_alphanumeric && strchr(is_address ? ":.%-_" : ".-_", *c) == nullptr) return false;
  }
  return true;
}

const char* ParsePrefix(const char* begin, const char* end, EtcdUrl* url) noexcept {
  if (FindFirst(begin, end, '?') != end || FindFirst(begin, end, '#') != end)
    return "after the hosts only a prefix may follow";
  while (end != begin && end[-1] == '/') --end;
  if (!DecodeUrlText(begin, end, url->prefix, sizeof url->prefix)) return "the prefix is too long or wrongly encoded";
  return nullptr;
}

}  // namespace

bool HasEtcdScheme(const char* text) noexcept {
  return ConsumePrefix(&text, "etcd://") || ConsumePrefix(&text, "etcds://");
}

const char* ParseEtcdUrl(const char* text, EtcdUrl* url) noexcept {
  *url = EtcdUrl();
  const char* begin = text;
  url->tls = ConsumePrefix(&begin, "etcds://");
  if (!url->tls && !ConsumePrefix(&begin, "etcd://")) return "it must begin with etcd:// or etcds://";
  const char* end = begin + strlen(begin);
  if (const char* problem = ParseLogin(text, &begin, end, url)) return problem;
  if (*url->user == '\0' && *url->password != '\0') return "a password needs a user";
  const char* slash = FindFirst(begin, end, '/');
  if (const char* problem = ParseHosts(begin, slash, kEtcdPort, url)) return problem;
  for (int i = 0; i < url->endpoint_count; ++i)
    if (!IsHost(url->endpoints[i].host)) return "a host name has a character that no host name has";
  return ParsePrefix(slash, end, url);
}

}  // namespace idgen::wire
