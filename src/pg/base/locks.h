// The order of all locks. A process takes them in this order, and may leave any out. Test builds check part of it: that
// a process holds at most one of idgen's LWLocks, and none while it waits.
//
//   1. PostgreSQL's heavyweight locks: idgen_adopt() and idgen_fill_past() lock their table; reading generators or
//      sequencers locks theirs.
//   2. The claim to fetch for a slot (sequencer::Slot::fetcher), then the claim to write the marks file
//      (sequencer::MarkProgress::keeper). A process may wait for the store or the disk while it has one of them, and
//      gives it up in any case: see sequencer::Abandon().
//   3. AddinShmemInitLock, while shared memory is made.
//   4. One of idgen's LWLocks, never two: the server lock "idgen" (making lines, folding floors, the worker's status
//      with the guards' alarms, totals), "idgen_segments" (the slot table) or "idgen_marks" (the table of marks). A
//      process that holds one does not wait for the disk, a store, a latch or a condition variable.
//   5. The spinlocks in PostgreSQL's latches and condition variables.
//
// Ids, and values of a segment, are taken without a lock, by compare-and-swap.
#pragma once

#include "pg/base/pg.h"

#include "core/check.h"

namespace idgen::pg {

enum class OwnLock { kServer, kSegments, kMarks };

// Called by every process that attaches to the shared memory, or by the postmaster on behalf of all.
void RegisterLock(OwnLock name, LWLock* lock) noexcept;

// Whether this process holds one of idgen's LWLocks.
bool HoldsLock() noexcept;

inline void AcquireLock(LWLock* lock, LWLockMode mode) {
  IDGEN_CHECK(!HoldsLock());
  LWLockAcquire(lock, mode);
}

}  // namespace idgen::pg
