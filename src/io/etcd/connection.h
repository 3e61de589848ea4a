// A link to an etcd and what it runs over. Like its parts it is given back by link.Close(), and has no destructor.
#pragma once

#include "io/etcd/curl_link.h"
#include "io/name_resolver.h"

namespace idgen::io {

struct EtcdConnection {
  EtcdConnection() noexcept : link(resolver) {}

  NameResolver resolver;
  CurlEtcdLink link;
};

// A store in etcd with a connection of its own.
template <class Store>
class OverOwnEtcdConnection final : private EtcdConnection, public Store {
 public:
  OverOwnEtcdConnection() noexcept : Store(EtcdConnection::link) {}
};

}  // namespace idgen::io
