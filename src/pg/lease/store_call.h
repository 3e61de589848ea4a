// A backend's own request to the lease store: over a connection of its own, with a wait that a cancel ends.
#pragma once

#include "pg/base/pg.h"

#include "lease/store.h"

namespace idgen::pg {

// Calls `use(store, reply)` with the answer. Raises if there is none, or if no store is set. What `use` raises is
// raised after the connection is closed.
class StoreCall {
 public:
  using Use = void (*)(const lease::LeaseBackend& store, const lease::StoreReply& reply, void* context);
  static void Run(lease::StoreRequest::Kind kind, Use use, void* context);
};

}  // namespace idgen::pg
