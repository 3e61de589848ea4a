// How far sequences have come, in shared memory, and every few seconds on disk: a store that has forgotten is raised
// before its answer counts.
#pragma once

#include "pg/pg.h"

#include "sequencer/request.h"

namespace idgen::pg {

// For _PG_init: the setting, and in the postmaster the memory.
void DefineMarksSetting();
void RequestMarksMemory();

// In the background worker, at every turn: puts what is known on disk, every few seconds.
void SaveMarksNowAndThen();

// AskStore, and what this server knows beside it: a value that is not above what the store was known to have had, under
// the same generation, is not given; the store is raised above it first, which is logged.
void AskStoreAboveMarks(const sequencer::Operation& operation, const sequencer::StoreKey* keys,
                        sequencer::Answer* answers, int count);

// Likewise for a segment: it is one operation on one key.
void AskForSegmentAboveMarks(const sequencer::Operation& operation, const sequencer::StoreKey& key,
                             sequencer::Answer* answer, int64 until_us);

// Before the store is asked to take values back that nobody got: one that is below them afterwards has not forgotten.
void TakeBackMark(const sequencer::Operation& operation, const sequencer::StoreKey& key);

}  // namespace idgen::pg
