// Who may choose the prefix of a sequencer's keys. Every database has keys of its own by default; a prefix that is
// chosen may be that of another one.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

void DefinePrefixSetting();

// Raises 42501 unless the current user is a superuser or idgen.allowed_key_prefixes allows the prefix.
void CheckMayUsePrefix(const text* prefix);

}  // namespace idgen::pg
