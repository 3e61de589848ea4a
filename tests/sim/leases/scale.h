// What a user with many servers can expect of one store: a day of them, as a table and a picture.
#pragma once

#include <cstdint>

namespace idgen::sim {

// Returns 0 if nothing was violated. `svg`: the file to write the picture to, or nullptr.
int ShowScale(uint64_t seed, int servers, int64_t hours, const char* svg);

}  // namespace idgen::sim
