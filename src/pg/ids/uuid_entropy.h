// Strong randomness in small pieces: drawn from pg_strong_random by the block, each byte given out once.
#pragma once

#include "pg/base/pg.h"

#include "core/uuid7.h"

namespace idgen::pg {

// Raises where the system has no randomness to give.
core::UuidEntropy DrawUuidEntropy();

}  // namespace idgen::pg
