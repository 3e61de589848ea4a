// Compiled twice by the tests: as it is, and with a header that the folder under test must not be able to see.
#include "core/layout.h"
#ifdef OFFENCE
#include OFFENCE
#endif

static_assert(idgen::core::kDefaultLayout.unit_ms == 1);
