// Sizes, creates and attaches to the shared memory, and claims a backend's slot in it.
#include "pg/base/shared_memory.h"

#include "pg/base/locks.h"
#include "pg/base/preload.h"

#include <new>

namespace idgen::pg {

core::BackendSlot* own_slot = nullptr;

namespace {

Shared* shared = nullptr;

int SlotCount() { return MaxBackends; }

Size SharedSize() {
  return add_size(offsetof(Shared, slots), mul_size(static_cast<Size>(SlotCount()), sizeof(core::BackendSlot)));
}

void Attach(void* memory, int tranche, bool is_new) {
  shared = static_cast<Shared*>(memory);
  RegisterLock(OwnLock::kServer, &shared->lock);
  if (!is_new) return;
  LWLockInitialize(&shared->lock, tranche);
  shared->slot_count = SlotCount();
  core::FindOrMakeLine<core::PlainMemory>(shared->server, core::kDefaultLayout);
}

// The caller holds the lock, so that a reader counts them either in the slot or in the totals, not in both.
void SettleOwnCounters() {
  IDGEN_CHECK(LWLockHeldByMeInMode(&shared->lock, LW_EXCLUSIVE));
  core::SettleCounters(*own_slot, shared->server.lines[own_slot->line].totals);
}

void SettleSlot(int, Datum) {
  if (own_slot == nullptr) return;
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  SettleOwnCounters();
  own_slot->pid.store(0);
  LWLockRelease(&shared->lock);
  own_slot = nullptr;
}

}  // namespace

Shared* SharedState() noexcept { return shared; }

const SharedPart server_part = {"idgen", "idgen", SharedSize, Attach, nullptr};

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
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  SettleOwnCounters();
  own_slot->line = line;
  own_slot->block_size = 0;
  LWLockRelease(&shared->lock);
}

}  // namespace idgen::pg
