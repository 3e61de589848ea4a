// Random bits for UUIDs, drawn from pg_strong_random in large batches. Each byte is used once.
#pragma once

#include "pg/base/pg.h"

#include "core/uuid7.h"

namespace idgen::pg {

// Raises if the system cannot provide random bytes.
core::UuidEntropy DrawUuidEntropy();

}  // namespace idgen::pg
