// The slot table in shared memory, and what PostgreSQL adds to it: its lock, the condition variables of those who wait
// for a segment, and the state of the prefetcher.
#pragma once

#include "pg/base/pg.h"
#include "pg/base/shared_part.h"

#include "sequencer/slot_table.h"

namespace idgen::pg {

struct PrefetcherState {
  LWLock lock;            // of this and of the slot table; never held while the store is asked
  core::Word wants_sync;  // records of marks are to be synced soon
  Latch* latch;           // the prefetcher's, while it runs
  int pid;                // 0: none runs
  int64 started_at_us;    // when one was requested last
};

// nullptr if the library is not in shared_preload_libraries.
extern sequencer::SlotTable* slot_table;
extern PrefetcherState* prefetcher;
ConditionVariable& FetchedVariable(const sequencer::Slot& slot);

void DefineSlotSetting();

extern const SharedPart slot_part;

}  // namespace idgen::pg
