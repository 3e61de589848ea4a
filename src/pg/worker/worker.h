// The background worker, which keeps the id clock, the identity and the durable ceiling of this server.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

// For _PG_init, in the postmaster.
void RegisterWorker();

// Tells the worker that a backend wants ids, and of a promotion that it has not noticed.
void AskWorker();

// Wakes the worker if it runs. In single-user mode, which has no worker, does its turn. Needs shared memory.
void WakeWorker();

// Whether waiting for an identity is pointless: on a hot standby, in binary-upgrade mode, without a worker id, or if
// the worker refuses to start.
bool NobodyWillServe();

}  // namespace idgen::pg
