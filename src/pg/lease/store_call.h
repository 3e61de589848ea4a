// A backend's own question to the lease store: over a connection of its own, with a wait that a cancel ends.
#pragma once

#include "pg/lease/settings.h"

namespace idgen::pg {

// Calls `use(store, reply)` with the answer, and raises where there is none, or where no store is set. What `use`
// raises is raised after everything is given back.
class StoreCall {
 public:
  using Use = void (*)(const lease::RedisStore& store, const lease::StoreReply& reply, void* context);
  static void Run(lease::StoreRequest::Kind kind, Use use, void* context);
};

}  // namespace idgen::pg
