// The store as calls ask it that get values, or change them: what this server knows of the keys counts, too.
#pragma once

#include "pg/base/pg.h"

#include "sequencer/operation.h"

namespace idgen::pg {

// AskStore, and what this server knows beside it: a value that is not above what the store was known to have had, under
// the same generation, is not given; the store is raised above it first, which is logged. The transaction does not
// commit before what it was given is known on disk.
void AskStoreAboveMarks(const sequencer::Operation& operation, const sequencer::StoreKey* keys,
                        sequencer::Answer* answers, int count);

// Likewise for a segment: it is one operation on one key. The number of the write that has to be on disk before its
// values count; the caller sees to that.
uint64 AskForSegmentAboveMarks(const sequencer::Operation& operation, const sequencer::StoreKey& key,
                               sequencer::Answer* answer, int64 until_us);

// Before the store is asked to take values back that nobody got: one that is below them afterwards has not forgotten.
void TakeBackMark(const sequencer::Operation& operation, const sequencer::StoreKey& key, int64 until_us);

}  // namespace idgen::pg
