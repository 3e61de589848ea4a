// The server's state in words, for idgen_status() and for errors: what is wrong, and what to do about it.
#pragma once

#include "pg/base/pg.h"
#include "pg/base/shared_memory.h"
#include "pg/base/timestamp.h"

#include "io/ceiling_file.h"

namespace idgen::pg {

struct Diagnosis {
  const char* state;   // one word or two
  const char* reason;  // sentences, palloc'ed or constant; nullptr if all is well
  const char* advice;  // the same
};

// The risk of a lease store that runs short of memory; `reason` is nullptr if there is none.
Diagnosis DiagnoseStoreMemory(const WorkerStatus& status);

// A copy, taken under the lock.
WorkerStatus CopyStatus(const Shared& shared);

// In full, or without hosts, ports and anything read from the host: see monitor_role.h.
Diagnosis Diagnose(const WorkerStatus& status, bool in_full);

// For a server that leases its worker id. `state` is nullptr if the lease is healthy.
Diagnosis DiagnoseLease(const WorkerStatus& status, bool in_full);

// While another etcd cluster answers than the one that leases are taken from.
Diagnosis DiagnoseOtherCluster(const WorkerStatus& status);

// For a server in recovery.
Diagnosis DiagnoseStandby(const WorkerStatus& status, bool in_full);

// Why the settings give no worker id.
const char* WhyNoWorkerId(const WorkerStatus& status, bool in_full);

// For a floor more than a day ahead of the wall clock, and for a clock that is believed only after a while.
inline constexpr const char* kFarAheadAdvice =
    "If the clock is wrong, set it; the server then issues ids. If it was wrong before, idgen_forget_floor() forgets "
    "this floor, at the risk described in its COMMENT.";
inline constexpr const char* kClockFarAheadAdvice =
    "The server accepts this clock after it has persisted for 30 seconds. If it is wrong, set it.";

// Why the local file cannot be used, and what to do.
const char* FileFailure(int error, bool in_full);
inline constexpr const char* kFileAdvice = "Check the file system. The worker retries several times per second.";

// About when an id clock that is this far ahead will have been slewed to the wall clock.
TimestampTz ClockRightAt(int64 ahead_us);

}  // namespace idgen::pg
