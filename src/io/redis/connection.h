// A link to a Redis and what it runs over. Like its parts it is given back by link.Close(), and has no destructor.
#pragma once

#include "io/name_resolver.h"
#include "io/redis/link.h"
#include "io/socket.h"

namespace idgen::io {

struct RedisConnection {
  RedisConnection() noexcept : link(socket, resolver) {}

  Socket socket;
  NameResolver resolver;
  RedisLink link;
};

// A store in Redis with a connection of its own.
template <class Store>
class OverOwnConnection final : private RedisConnection, public Store {
 public:
  OverOwnConnection() noexcept : Store(RedisConnection::link) {}
};

}  // namespace idgen::io
