// The settings of a leased worker id: defined here, and read as one.
#pragma once

#include "pg/base/pg.h"

#include "lease/store.h"
#include "pg/lease/store_access.h"

namespace idgen::pg {

void DefineLeaseSettings();

// A copy of the settings, so that it outlives a reload.
struct LeaseConfig {
  AccessConfig access;
  char prefix[256];
  char holder[lease::kHolderBytes];
  uint32 min_worker;
  uint32 max_workers;
  int64 ttl_ms;
  int64 window_ms;
  int64 timeout_us;
  int replicas;
  bool durable;

  // Points into this.
  lease::LeaseStoreSettings StoreSettings() const noexcept;
  // The source of an identity: the same number for the same store, prefix and range. It is also written to disk.
  // Numbers below kFirstKey are not those of leases.
  static constexpr uint64 kFirstKey = 2;
  uint64 Key() const noexcept;
};

// False, and a full sentence in `problem`, if the settings contradict each other or no store is set.
bool ReadLeaseConfig(LeaseConfig* config, char* problem, size_t problem_size);

// For the store that a server with a static worker id reports to: idgen.lease_store, else idgen.sequence_store. False
// if neither is set.
bool ReadPresenceConfig(LeaseConfig* config);

// Whether a standby leases a worker id in advance: idgen.lease_on_standby is on, and idgen.worker_source is lease.
bool LeasesOnStandby() noexcept;

// idgen.max_workers, even if ReadLeaseConfig fails.
uint32 MaxWorkers() noexcept;

}  // namespace idgen::pg
