// The background worker's connection to the store for a static worker id: announces that the id is in use here, and
// learns who else has it. Separate from the connection for leases, since a server may change from one to the other.
#pragma once

#include "pg/lease/settings.h"
#include "pg/base/shared_memory.h"

#include "lease/presence.h"
#include "lease/stores.h"

namespace idgen::pg {

class StaticPresence {
 public:
  explicit StaticPresence(Shared& shared) noexcept;

  // The settings may have changed.
  void ReadSettings();
  // A turn of the worker. `is_static`: the worker id is, or would be, a static one, and stays in use.
  void Turn(bool is_static) noexcept;
  io::Wants wants(int64 now_us) const noexcept { return presence_.wants(now_us); }
  const lease::PresenceView& view() const noexcept { return presence_.view(); }

 private:
  Shared& shared_;
  LeaseConfig config_ = {};
  bool has_store_ = false;
  lease::ConfiguredLeaseStore store_;
  lease::Presence presence_;
};

}  // namespace idgen::pg
