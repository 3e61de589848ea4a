// A backend's pool of random bytes.
#include "pg/ids/uuid_entropy.h"

#include <cstring>

namespace idgen::pg {
namespace {

constexpr size_t kUuidBytes = sizeof(core::UuidEntropy::tail) + sizeof(core::UuidEntropy::counter);

struct Pool {
  uint8 bytes[kUuidBytes * 1024];  // each draw has a fixed cost, so smaller draws cost more per UUID
  size_t used;
  int pid;  // of the process that drew them: a forked process draws its own
};
Pool pool;

void Draw() {
  pool.used = sizeof pool.bytes;  // if drawing fails, the pool stays empty
  if (!pg_strong_random(pool.bytes, sizeof pool.bytes))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values for a UUID")));
  pool.used = 0;
  pool.pid = MyProcPid;
}

}  // namespace

core::UuidEntropy DrawUuidEntropy() {
  if (unlikely(pool.used + kUuidBytes > sizeof pool.bytes || pool.pid != MyProcPid)) Draw();
  uint8* next = pool.bytes + pool.used;
  core::UuidEntropy entropy;
  memcpy(&entropy.tail, next, sizeof entropy.tail);
  memcpy(&entropy.counter, next + sizeof entropy.tail, sizeof entropy.counter);
  memset(next, 0, kUuidBytes);  // used bytes cannot be read from memory later
  pool.used += kUuidBytes;
  return entropy;
}

}  // namespace idgen::pg
