// The store of sequences as a backend reaches it: one connection, opened when it is first needed, and kept.
#pragma once

#include "pg/base/pg.h"

#include "sequencer/redis/client.h"

namespace idgen::pg {

void DefineSequenceSettings();

// How to reach it: the URL, the files, how long connecting may take. False where no store is set.
struct LeaseConfig;
bool ReadSequenceStoreAccess(LeaseConfig* config);

// Asks the store about `count` keys, and returns when every answer is there; answers are fresh. True where all came
// over one connection. A cancel ends the wait, and the connection with it, so that no late reply is taken for
// another's. Raises 08006 where no answer came in time, 08P01 for one that is none, 55000 where no store is set.
bool AskStore(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
              int count, int64 until_us);

// How long a call may take, on the boot-time clock.
int64 StoreTimeoutUs() noexcept;

// The number of the connection over which the latest answers came.
uint64 StoreConnection() noexcept;

// The same number for the same store, as the settings name it.
uint64 StoreIdentity() noexcept;

// Of the store that is asked.
const char* StoreSetting() noexcept;

// Whether there is a store for sequences, and whether it may be the Redis that worker ids are leased from.
bool HasSequenceStore();
bool SequencesShareLeaseStore();

}  // namespace idgen::pg
