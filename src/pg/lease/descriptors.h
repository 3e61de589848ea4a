// The descriptors of a backend's connection to a store count towards PostgreSQL's limit on open files, so that it
// closes files of its own in time.
#pragma once

#include "pg/base/pg.h"

#include "io/store_access.h"

namespace idgen::pg {

// Reserves as many as a connection to such a store may have open, and returns their number. Raises 53000, with none
// reserved, if there are not so many and one to wait. `store` is what messages call it.
int ReserveDescriptors(const io::UrlKind& kind, const char* store);
void ReleaseDescriptors(int count);

}  // namespace idgen::pg
