// The extension's shared memory: made once by the postmaster, attached to by every process.
#pragma once

#include "pg/base/pg.h"

#include "core/block.h"
#include "core/server_state.h"
#include "lease/keeper.h"
#include "lease/lease_source.h"
#include "lease/rivals.h"
#include "pg/status/guard.h"
#include "pg/worker/worker_id.h"

namespace idgen::pg {

// What the background worker last did and saw, for those who ask. Guarded by Shared::lock.
struct WorkerStatus {
  lease::View view;
  int pid;       // 0 while none runs
  Latch* latch;  // the worker's, while it runs
  WorkerId worker_id;
  bool worker_id_chosen;
  bool leased;  // the settings point to a lease
  int64 lease_ttl_ms;
  bool lease_unguarded;  // the store fails over, and no replica is waited for
  lease::LeaseView lease;
  lease::RivalView rival;      // another server with the worker id that is published
  bool presence_fails;         // the store is not told of the static worker id
  lease::Past uncertain_past;  // what this server found its file to be when it started, where that was not its own
  int64_t uncertain_floor_ms;  // where ids began then; 0 where nothing was uncertain
  char settings_problem[256];  // why settings are not taken over, where others are kept
  int64 steps_back;            // of the wall clock, since `stats_reset`
  int64 largest_step_back_us;
  TimestampTz stats_reset;
  GuardAlarm alarms[kGuardAlarms];  // of the guards, not of the worker
  TimestampTz last_error_at;        // 0 when there was none
  char last_error[600];
};

struct Shared {
  core::ServerState server;
  core::Word asked_for;                         // a backend has asked for an id
  core::Word forget_floor;                      // the operator gives up the floor that is waited for
  lease::LeaseMemo lease_memo;                  // the worker's alone
  char presence_token[lease::kTokenBytes + 1];  // likewise: of a static worker id
  // Since when this server issues under its worker id, by the id clock: set by the worker, and of what.
  core::Word worker_since_ms;
  uint32 since_worker;
  int64_t since_floor_ms;
  uint64 source;  // whom the identity is from, and the memo; the worker's alone
  LWLock* lock;   // the lines lock of core, and of `status` and `totals_at_reset`
  WorkerStatus status;
  core::LineTotals totals_at_reset[core::kMaxLines];
  Oid line_database[core::kMaxLines];  // which database first asked for an id of the line; guarded by `lock`
  int slot_count;
  core::BackendSlot slots[FLEXIBLE_ARRAY_MEMBER];
};
static_assert(offsetof(Shared, slots) <= 56 * 1024);

// nullptr where the library is not in shared_preload_libraries.
Shared* SharedState() noexcept;

// For _PG_init, in the postmaster.
void RequestSharedMemory();

// This backend's slot, claimed on first use and settled when the backend ends. Raises where there is no shared memory.
extern core::BackendSlot* own_slot;  // nullptr before the first use
core::BackendSlot& ClaimOwnSlot();
inline core::BackendSlot& OwnSlot() { return likely(own_slot != nullptr) ? *own_slot : ClaimOwnSlot(); }

// Moves the claimed slot to another line. What is left of its block is lost.
void MoveOwnSlot(uint32 line);

// The line of the default layout.
inline constexpr uint32 kDefaultLine = 0;

}  // namespace idgen::pg
