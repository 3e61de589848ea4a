// How the guarantees degrade outside of their conditions, in numbers.
#pragma once

#include <cstdint>

namespace idgen::sim {

// Prints the tables of docs/operations.md and docs/lease.md: of so many seeds each line.
void ShowEnvelope(uint64_t first_seed, uint64_t seeds);

}  // namespace idgen::sim
