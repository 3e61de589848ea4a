// Who may choose the prefix of a sequencer's keys. By default every database has its own keys, but a chosen prefix may be
// that of another database.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

void DefinePrefixSetting();

// Raises 42501 unless the current user is a superuser or idgen.allowed_key_prefixes allows the prefix.
void CheckMayUsePrefix(const text* prefix);

}  // namespace idgen::pg
