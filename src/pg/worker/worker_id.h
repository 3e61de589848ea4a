// The worker id that the settings give, or why they give none.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct WorkerId {
  bool had;
  uint32 number;
  char source[128];   // where it comes from, and the text it was read from
  char problem[256];  // a sentence, if there is none
};

// Reads the settings and, if they say so, the host's name, environment or addresses.
WorkerId ResolveWorkerId();

}  // namespace idgen::pg
