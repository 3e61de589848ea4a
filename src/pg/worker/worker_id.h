// The worker id that the settings lead to, or why there is none.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct WorkerId {
  bool had;
  uint32 number;
  char source[128];   // where it comes from, with the text it was read from
  char problem[256];  // a sentence, where it could not be had
};

// Reads the settings and, where they say so, the host's name, environment or addresses.
WorkerId ResolveWorkerId();

}  // namespace idgen::pg
