// The warning at CREATE EXTENSION.
#pragma once

#include "pg/pg.h"

#include "pg/shmem.h"

namespace idgen::pg {

// Raises a warning if the library was not loaded when the server started.
void WarnUnlessPreloaded();

}  // namespace idgen::pg
