// The extension's shared memory: made once by the postmaster, attached to by every process.
#pragma once

#include "pg/pg.h"

#include "core/block.h"
#include "core/server_state.h"
#include "lease/keeper.h"

namespace idgen::pg {

// What the background worker last did and saw, for those who ask. Guarded by Shared::lock.
struct WorkerStatus {
  lease::View view;
  int pid;       // 0 while none runs
  Latch* latch;  // the worker's, while it runs
  bool has_worker_id;
  bool worker_id_chosen;
  uint32 worker_id;
  TimestampTz last_error_at;  // 0 when there was none
  char last_error[256];
};

struct Shared {
  core::ServerState server;
  core::Word asked_for;  // a backend has asked for an id
  LWLock* lock;          // the lines lock of core, and of `status`
  WorkerStatus status;
  int slot_count;
  core::BackendSlot slots[FLEXIBLE_ARRAY_MEMBER];
};

// nullptr where the library is not in shared_preload_libraries.
Shared* SharedState() noexcept;

// For _PG_init, in the postmaster.
void RequestSharedMemory();

// This backend's slot, claimed on first use and settled when the backend ends. Raises where there is no shared memory.
core::BackendSlot& OwnSlot();

// The line of the default layout.
inline constexpr uint32 kDefaultLine = 0;

}  // namespace idgen::pg
