// The hooks that request and make the parts of the shared memory.
#include "pg/base/shared_part.h"

namespace idgen::pg {
namespace {

const SharedPart* const* parts = nullptr;
int part_count = 0;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

// Shmem allocates in cache lines, but guarantees only MAXALIGN.
Size AllocatedSize(const SharedPart& part) { return add_size(part.size(), PG_CACHE_LINE_SIZE); }

void RequestHook() {
  if (previous_request_hook != nullptr) previous_request_hook();
  for (int i = 0; i < part_count; ++i) {
    RequestAddinShmemSpace(AllocatedSize(*parts[i]));
    RequestNamedLWLockTranche(parts[i]->tranche, 1);
  }
}

void Attach(const SharedPart& part) {
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  void* memory = ShmemInitStruct(part.name, AllocatedSize(part), &found);
  memory = reinterpret_cast<void*>(TYPEALIGN(PG_CACHE_LINE_SIZE, memory));
  if (!found) memset(memory, 0, part.size());
  // The lock that PostgreSQL made tells the tranche; the part has its own.
  part.attach(memory, GetNamedLWLockTranche(part.tranche)->lock.tranche, !found);
  LWLockRelease(AddinShmemInitLock);
  if (!found && !IsUnderPostmaster && part.start != nullptr) part.start();
}

void StartupHook() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  for (int i = 0; i < part_count; ++i) Attach(*parts[i]);
}

}  // namespace

void RequestSharedParts(const SharedPart* const* list, int count) {
  parts = list;
  part_count = count;
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestHook;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = StartupHook;
}

}  // namespace idgen::pg
