// Requesting and initializing the shared memory of segments.
#include "pg/sequence_host/slot_memory.h"

#include "pg/base/locks.h"

#include <cstring>

namespace idgen::pg {

sequencer::SlotTable* slot_table = nullptr;
PrefetcherState* prefetcher = nullptr;

namespace {

// Slots that wait for the prefetcher. A slot that finds the queue full has its next segment fetched by a session.
constexpr uint32 kQueue = 1024;

int max_sequence_keys = 256;
ConditionVariable* fetched = nullptr;  // by slot

Size StateSize() { return TYPEALIGN(PG_CACHE_LINE_SIZE, sizeof(PrefetcherState)); }

Size TableSize() { return TYPEALIGN(PG_CACHE_LINE_SIZE, sequencer::SlotTable::Bytes(max_sequence_keys, kQueue)); }

Size MemorySize() {
  const Size variables = mul_size(static_cast<Size>(max_sequence_keys), sizeof(ConditionVariable));
  return add_size(StateSize() + TableSize(), variables);
}

void Attach(void* memory, int tranche, bool is_new) {
  auto* at = static_cast<char*>(memory);
  prefetcher = reinterpret_cast<PrefetcherState*>(at);
  slot_table = reinterpret_cast<sequencer::SlotTable*>(at + StateSize());
  fetched = reinterpret_cast<ConditionVariable*>(at + StateSize() + TableSize());
  RegisterLock(OwnLock::kSegments, &prefetcher->lock);
  if (!is_new) return;
  LWLockInitialize(&prefetcher->lock, tranche);
  sequencer::SlotTable::Make(slot_table, max_sequence_keys, kQueue);
  for (int i = 0; i < max_sequence_keys; ++i) ConditionVariableInit(&fetched[i]);
}

}  // namespace

ConditionVariable& FetchedVariable(const sequencer::Slot& slot) { return fetched[slot_table->IndexOf(slot)]; }

void DefineSlotSetting() {
  // As idgen.max_generators: the memory is allocated when the server starts.
  if (!process_shared_preload_libraries_in_progress) return;
  DefineCustomIntVariable("idgen.max_sequence_keys",
                          "Sets the maximum number of keys for which the server holds segments of values.",
                          "For sequencers with a cache. The least recently used key makes room for a new one.",
                          &max_sequence_keys, 256, 16, 65536, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

const SharedPart slot_part = {"idgen segments", "idgen_segments", MemorySize, Attach, nullptr};

}  // namespace idgen::pg
