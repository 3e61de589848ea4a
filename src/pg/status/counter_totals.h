// The counters of a line, summed over all backends, ended and live.
#pragma once

#include "pg/base/shared_memory.h"

namespace idgen::pg {

struct Totals {
  uint64 ids;
  uint64 blocks;
  uint64 lost_ids;
  uint64 waits;
  uint64 waited_us;
  uint64 max_drift_ms;
};

// Since the server started. The caller holds the lock, at least shared, so that no backend moves its counters.
Totals TotalsOf(const Shared& shared, uint32 line);

// Of all lines together, since the server started. The caller holds the lock, at least shared.
Totals TotalsOfAll(const Shared& shared);

// Since the last reset. The caller holds the lock, at least shared.
Totals TotalsSinceReset(const Shared& shared, uint32 line);

// The caller holds the lock, exclusive.
void ResetTotals(Shared& shared);

// How far the line's next id is ahead of the id clock, at least 0.
int64 DriftUs(const core::ServerState& server, uint32 line);
// Of the line that is furthest ahead.
int64 LargestDriftUs(const core::ServerState& server);

}  // namespace idgen::pg
