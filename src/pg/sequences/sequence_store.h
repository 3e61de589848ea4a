// The sequence store as a backend reaches it: one connection, opened when it is first needed, and kept.
#pragma once

#include "pg/base/pg.h"

#include "sequencer/operation.h"

namespace idgen::pg {

void DefineSequenceSettings();

// Asks the store about `count` keys, and returns when every answer is there; the answers must be fresh. True if all
// came over one connection. A cancel ends the wait and closes the connection, so that no late reply is taken for
// another's. Raises 08006 if the store does not answer in time, 08P01 if what answers is not such a store, 55000 if
// none is set.
bool AskStore(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
              int count, int64 until_us);

// Maximum time for one call, on the boot-time clock.
int64 StoreTimeoutUs() noexcept;

// The number of the connection over which the latest answers came.
uint64 StoreConnection() noexcept;

// The same number for the same store, as the settings name it.
uint64 StoreIdentity() noexcept;

// The setting that the store's URL comes from.
const char* StoreSetting() noexcept;

}  // namespace idgen::pg
