// What is known of an etcd by its URL alone.
#include "io/etcd/urls.h"

#include <algorithm>
#include <cstring>

#include "core/fnv.h"
#include "io/etcd/curl_link.h"
#include "wire/etcd_url.h"

namespace idgen::io {
namespace {

using wire::EtcdUrl;

const char* Validate(const char* text, PasswordPosition* password) noexcept {
  EtcdUrl url;
  if (const char* problem = wire::ParseEtcdUrl(text, &url)) return problem;
  if (!CurlEtcdLink::Built()) return "idgen was built without etcd";
  *password = {.at = url.password_at, .size = url.password_size};
  return nullptr;
}

// The endpoints in any order name the same cluster.
uint64_t Identify(const char* text) noexcept {
  EtcdUrl url;
  wire::ParseEtcdUrl(text, &url);
  std::sort(url.endpoints, url.endpoints + url.endpoint_count, [](const wire::Endpoint& a, const wire::Endpoint& b) {
    const int order = strcmp(a.host, b.host);
    return order != 0 ? order < 0 : a.port < b.port;
  });
  uint64_t hash = core::Fnv(core::kFnvStart, "etcd", sizeof "etcd");
  hash = wire::HashEndpoints(hash, url);
  return core::Fnv(hash, url.prefix, strlen(url.prefix) + 1);
}

bool MayBeSame(const char* a, const char* b) noexcept {
  EtcdUrl first, second;
  wire::ParseEtcdUrl(a, &first);
  wire::ParseEtcdUrl(b, &second);
  return wire::HaveCommonEndpoint(first, second);
}

}  // namespace

constinit const UrlKind kEtcdUrls = {
    .schemes = "etcd:// or etcds://",
    .syntax = "etcd://[user:password@]host[:port][,host[:port]...][/prefix], etcds:// for TLS",
    .examples = "etcd://127.0.0.1:2379 or etcds://user:password@host1,host2,host3/prefix",
    .memory_limit = "\"--quota-backend-bytes\"",
    .evicts_keys = "which etcd never does",
    .keep_keys_advice = "Raise its \"--quota-backend-bytes\"",
    .forgets = false,
    .max_descriptors = HttpClient::kMaxDescriptors,
    .has_scheme = wire::HasEtcdScheme,
    .validate = Validate,
    .identify = Identify,
    .may_be_same = MayBeSame};

}  // namespace idgen::io
