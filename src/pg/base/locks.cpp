// Which of idgen's LWLocks this process holds.
#include "pg/base/locks.h"

namespace idgen::pg {
namespace {

LWLock* own_locks[3] = {};  // by OwnLock

}  // namespace

void RegisterLock(OwnLock name, LWLock* lock) noexcept { own_locks[static_cast<int>(name)] = lock; }

bool HoldsLock() noexcept {
  for (LWLock* lock : own_locks)
    if (lock != nullptr && LWLockHeldByMe(lock)) return true;
  return false;
}

}  // namespace idgen::pg
