// The state of the server's identity in words, for errors and for the status: what is the matter, and what to do.
#pragma once

#include "pg/base/pg.h"
#include "pg/base/shared_memory.h"
#include "pg/base/timestamp.h"

#include "io/ceiling_file.h"

namespace idgen::pg {

struct Diagnosis {
  const char* state;   // one word or two
  const char* reason;  // a sentence, palloc'ed or constant; nullptr when all is well
  const char* advice;  // likewise
};

// What the store of leases may do when its memory runs short; `reason` is nullptr if that is no risk.
Diagnosis DiagnoseStoreMemory(const WorkerStatus& status);

// A copy, taken under the lock.
WorkerStatus CopyStatus(const Shared& shared);

// In full, or without hosts, ports and what was read from the host: see monitor_role.h.
Diagnosis Diagnose(const WorkerStatus& status, bool in_full);

// Of a server whose worker id is leased, or to be. `state` is nullptr where the lease is well.
Diagnosis DiagnoseLease(const WorkerStatus& status, bool in_full);

// Why there is no worker id.
const char* WhyNoWorkerId(const WorkerStatus& status, bool in_full);

// Why the local file fails, and what to do.
const char* FileFailure(int error, bool in_full);
inline constexpr const char* kFileAdvice = "Repair the file system; the worker retries several times a second.";

// About when an id clock that is ahead by so much, and slewed, will be right.
TimestampTz ClockRightAt(int64 ahead_us);

}  // namespace idgen::pg
