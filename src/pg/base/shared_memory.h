// The extension's shared memory: created by the postmaster and attached to by every process.
#pragma once

#include "pg/base/pg.h"
#include "pg/base/shared_part.h"

#include "core/block.h"
#include "core/server_state.h"
#include "lease/keeper.h"
#include "lease/lease_source.h"
#include "lease/noted_source.h"
#include "lease/rivals.h"
#include "pg/status/guard.h"
#include "pg/worker/worker_id.h"

namespace idgen::pg {

// The state that the background worker last reported. Guarded by the server lock.
struct WorkerStatus {
  lease::View view;
  int pid;       // 0 while none runs
  Latch* latch;  // the worker's, while it runs
  WorkerId worker_id;
  bool worker_id_chosen;
  bool leased;  // the settings select a lease
  lease::NotedPast if_promoted;  // on a standby that holds a lease: what the local file says of the past
  int64 lease_ttl_ms;
  char store_advice[256];          // what to change about the lease store; empty if nothing
  char store_failure_advice[256];  // the same about its last failure
  lease::LeaseView lease;
  lease::RivalView rival;      // another server with the worker id that is published
  bool presence_fails;         // the static worker id could not be announced to the store
  lease::Past uncertain_past;  // why the local file was not this server's at its start
  int64_t uncertain_floor_ms;  // where ids began then; 0: nothing was uncertain
  char settings_problem[256];  // why the previous settings are kept
  int64 steps_back;            // of the wall clock, since `stats_reset`
  int64 largest_step_back_us;
  TimestampTz stats_reset;
  GuardAlarm alarms[kGuardAlarms];  // of the guards, not of the worker
  TimestampTz last_error_at;        // 0: there was none
  char last_error[600];
};

struct Shared {
  core::ServerState server;
  core::Word asked_for;                         // a backend has requested an id
  core::Word forget_floor;                      // an operator wants to forget the floor that is waited for
  core::Word awaits_promotion;                  // the worker runs during recovery, and has not noticed its end
  lease::LeaseMemo lease_memo;                  // used by the worker only
  char presence_token[lease::kTokenBytes + 1];  // used by the worker only, for a static worker id
  // Since when this server has its worker id, by the id clock, and what that is based on. Set by the worker.
  core::Word worker_since_ms;
  uint32 since_worker;
  int64_t since_floor_ms;
  uint64 source;  // the source of the identity and the memo; used by the worker only
  // The server lock: guards making lines, folding floors, and what is below up to the slots.
  mutable LWLock lock;
  WorkerStatus status;
  core::LineTotals totals_at_reset[core::kMaxLines];
  Oid line_database[core::kMaxLines];  // the database that first used the line; guarded by `lock`
  int slot_count;
  core::BackendSlot slots[FLEXIBLE_ARRAY_MEMBER];
};
static_assert(offsetof(Shared, slots) <= 56 * 1024);

// nullptr if the library is not preloaded.
Shared* SharedState() noexcept;

extern const SharedPart server_part;

// This backend's slot, claimed on first use and settled when the backend ends. Raises if there is no shared memory.
extern core::BackendSlot* own_slot;  // nullptr before the first use
core::BackendSlot& ClaimOwnSlot();
inline core::BackendSlot& OwnSlot() { return likely(own_slot != nullptr) ? *own_slot : ClaimOwnSlot(); }

// Moves the claimed slot to another line. The rest of its block is lost.
void MoveOwnSlot(uint32 line);

// The line of the default layout.
inline constexpr uint32 kDefaultLine = 0;

}  // namespace idgen::pg
