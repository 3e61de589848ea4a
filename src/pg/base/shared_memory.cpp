// Sizes, creates and attaches to the shared memory, and claims a backend's slot in it.
#include "pg/base/shared_memory.h"

#include "pg/base/preload.h"

#include <new>

namespace idgen::pg {

core::BackendSlot* own_slot = nullptr;

namespace {

Shared* shared = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

int SlotCount() { return MaxBackends; }

Size SharedSize() {
  return add_size(offsetof(Shared, slots), mul_size(static_cast<Size>(SlotCount()), sizeof(core::BackendSlot)));
}

void RequestHook() {
  if (previous_request_hook != nullptr) previous_request_hook();
  // Shmem allocates in cache lines, but guarantees only MAXALIGN.
  RequestAddinShmemSpace(add_size(SharedSize(), PG_CACHE_LINE_SIZE));
  RequestNamedLWLockTranche("idgen", 1);
}

void StartupHook() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  void* memory = ShmemInitStruct("idgen", add_size(SharedSize(), PG_CACHE_LINE_SIZE), &found);
  shared = reinterpret_cast<Shared*>(TYPEALIGN(PG_CACHE_LINE_SIZE, memory));
  if (!found) {
    memset(static_cast<void*>(shared), 0, SharedSize());
    shared->lock = &GetNamedLWLockTranche("idgen")->lock;
    shared->slot_count = SlotCount();
    core::FindOrMakeLine<core::PlainMemory>(shared->server, core::kDefaultLayout);
  }
  LWLockRelease(AddinShmemInitLock);
}

// The caller holds the lock, so that a reader counts them either in the slot or in the totals, not in both.
void SettleOwnCounters() { core::SettleCounters(*own_slot, shared->server.lines[own_slot->line].totals); }

void SettleSlot(int, Datum) {
  if (own_slot == nullptr) return;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  SettleOwnCounters();
  own_slot->pid.store(0);
  LWLockRelease(shared->lock);
  own_slot = nullptr;
}

}  // namespace

Shared* SharedState() noexcept { return shared; }

void RequestSharedMemory() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestHook;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = StartupHook;
}

core::BackendSlot& ClaimOwnSlot() {
  if (shared == nullptr) RaiseNotPreloaded();
  const int index = BackendIndex();
  if (index < 0 || index >= shared->slot_count) elog(ERROR, "idgen: backend index %d has no slot", index);
  before_shmem_exit(SettleSlot, Int32GetDatum(0));
  core::ClaimSlot(shared->slots[index], MyProcPid, kDefaultLine);
  own_slot = &shared->slots[index];
  return *own_slot;
}

void MoveOwnSlot(uint32 line) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  SettleOwnCounters();
  own_slot->line = line;
  own_slot->block_size = 0;
  LWLockRelease(shared->lock);
}

}  // namespace idgen::pg
