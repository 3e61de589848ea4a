// Parts of the extension's shared memory. Each says how large it is and how it begins; one pair of hooks makes them
// all, in the order in which module.cpp lists them.
//
// Nothing in a part points into a part.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct SharedPart {
  const char* name;     // in pg_shmem_allocations
  const char* tranche;  // of its LWLock
  Size (*size)();
  // In every process. `memory` begins at a cache line. If `is_new`, it is zeroed, and this process initializes it, with
  // its LWLock in the tranche. AddinShmemInitLock is held.
  void (*attach)(void* memory, int tranche, bool is_new);
  // In the process that initialized it, with no lock held. nullptr: nothing to do.
  void (*start)();
};

// For _PG_init, in the postmaster. The list must be static.
void RequestSharedParts(const SharedPart* const* parts, int count);

}  // namespace idgen::pg
