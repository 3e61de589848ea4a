// The settings of a leased worker id: defined here, and read as one.
#pragma once

#include "pg/base/pg.h"

#include "lease/redis/store.h"

namespace idgen::pg {

void DefineLeaseSettings();

// A copy of the settings, so that it outlives a reload.
struct LeaseConfig {
  wire::RedisUrl url;
  char prefix[256];
  char holder[lease::kHolderBytes];
  char password_file[MAXPGPATH];
  char tls_ca_file[MAXPGPATH];
  char tls_cert_file[MAXPGPATH];
  char tls_key_file[MAXPGPATH];
  uint32 min_worker;
  uint32 max_workers;
  int64 ttl_ms;
  int64 window_ms;
  int64 connect_timeout_us;
  int64 timeout_us;
  int replicas;
  bool durable;

  // Points into this.
  lease::RedisStoreSettings StoreSettings() const noexcept;
  // The same number for the same store, prefix and range: whose lease it is. Smaller ones are not of leases.
  static constexpr uint64 kFirstKey = 2;
  uint64 Key() const noexcept;
};

// Moves whenever what follows may have changed.
extern uint64 store_access_count;

// Only how to reach the store: the URL, the files, how long connecting may take. False where no store is set; the rest
// is there then, too.
bool ReadStoreAccess(LeaseConfig* config);

// False, and a sentence in `problem`, where the settings can't stand together.
bool ReadLeaseConfig(LeaseConfig* config, char* problem, size_t problem_size);

// The store that a server with a static worker id tells about it: idgen.lease_store, else idgen.sequence_store. False
// where neither is set.
bool ReadPresenceConfig(LeaseConfig* config);

// idgen.max_workers, also where the other settings can't stand together.
uint32 MaxWorkers() noexcept;

bool HasLeaseStore() noexcept;
const wire::RedisUrl& LeaseStoreUrl() noexcept;  // of none: an empty one

// The URL as it may be shown: its password is hidden. A buffer of its own.
const char* ShownStore() noexcept;

}  // namespace idgen::pg
