// The errors that users get if the library is not in shared_preload_libraries.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

// For functions that need shared memory.
[[noreturn]] void RaiseNotPreloaded();

// For CREATE EXTENSION: a warning with the statement that preloads the library. Does nothing if it is preloaded.
void WarnUnlessPreloaded();

}  // namespace idgen::pg
