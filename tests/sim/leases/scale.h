// What a user with many servers can expect of one store: a day of them, as a table and a picture.
#pragma once

#include <cstdint>

namespace idgen::sim {

// Returns 0 if nothing was violated. `svg`: the file to write the picture to, or nullptr.
int ShowScale(uint64_t seed, int servers, int64_t hours, const char* svg);

// The same servers with etcd, for some minutes: all of them start at the same moment, and then renew. Returns 0 if
// nothing was violated, every server got a worker id, and they send no more requests than docs/etcd.md says.
int ShowScaleOfEtcd(uint64_t seed, int servers, int64_t minutes);

}  // namespace idgen::sim
