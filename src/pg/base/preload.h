// The warning at CREATE EXTENSION.
#pragma once

#include "pg/base/pg.h"

#include "pg/base/shared_memory.h"

namespace idgen::pg {

// Raises a warning if the library was not loaded when the server started.
void WarnUnlessPreloaded();

}  // namespace idgen::pg
