// The URL of an etcd cluster:
//   etcd://[user[:password]@]host[:port][,host[:port]...][/prefix]    etcds://: with TLS
// IPv6 addresses are in brackets; user, password and prefix may be percent-encoded (RFC 3986). Every key begins with
// the prefix, its leading slash included.
#pragma once

#include <cstdint>

#include "wire/url_parts.h"

namespace idgen::wire {

inline constexpr uint16_t kEtcdPort = 2379;

struct EtcdUrl : UrlLogin, UrlHosts {
  bool tls = false;
  char prefix[256] = {};  // "", or "/..." without a slash at its end
};

bool HasEtcdScheme(const char* text) noexcept;

// nullptr, or what is wrong with `text`.
const char* ParseEtcdUrl(const char* text, EtcdUrl* url) noexcept;

}  // namespace idgen::wire
