// The background worker: it keeps the id clock, the identity and the durable ceiling of this server.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

// For _PG_init, in the postmaster.
void RegisterWorker();

// Tells the worker that a backend wants ids.
void AskWorker();

// Ends the worker's sleep, if it runs. In single-user mode, where there is none, does its turn. There must be shared
// memory.
void WakeWorker();

// True where waiting for an identity would be in vain: on a hot standby, in binary-upgrade mode, without a worker id,
// and where the worker refuses to start.
bool NobodyWillServe();

}  // namespace idgen::pg
