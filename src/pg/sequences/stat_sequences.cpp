// The function behind idgen_stat_sequences.
#include <cstring>

#include "pg/base/row.h"
#include "pg/base/locks.h"
#include "pg/sequence_host/slot_memory.h"

using namespace idgen;

namespace {

struct SlotSnapshot {
  char sequencer[NAMEDATALEN];
  char key[sequencer::kMaxKeyBytes + 1];
  bool has_next;
  int64 next_value, left, size, fetches, waits;
};

// The part of the store's name that the caller gave: prefix{length:key}.
void CopyKey(const sequencer::Slot& slot, char* key) {
  std::string_view name = slot.store_key().value().substr(slot.prefix_bytes);
  name.remove_prefix(name.find(':') + 1);
  name.remove_suffix(1);
  memcpy(key, name.data(), name.size());
  key[name.size()] = '\0';
}

// The caller holds the lock; values may still be taken meanwhile.
SlotSnapshot SnapshotOf(const sequencer::Slot& slot) {
  SlotSnapshot snapshot = {};
  strlcpy(snapshot.sequencer, slot.sequencer, sizeof snapshot.sequencer);
  CopyKey(slot, snapshot.key);
  snapshot.has_next =
      sequencer::NextValue<core::PlainMemory>(slot.segments, slot.definition.step, &snapshot.next_value);
  snapshot.left = sequencer::CountLeft<core::PlainMemory>(slot.segments);
  snapshot.size = slot.size;
  snapshot.fetches = slot.fetches;
  snapshot.waits = static_cast<int64>(slot.waits.load());
  return snapshot;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_stat_get_sequences);
PGDLLEXPORT Datum idgen_sql_stat_get_sequences(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  sequencer::SlotTable* table = pg::slot_table;
  if (table == nullptr) return Datum{0};
  for (int i = 0; i < table->capacity(); ++i) {
    pg::AcquireLock(&pg::prefetcher->lock, LW_SHARED);
    const bool is_past = i >= table->used_count();
    const bool is_here = !is_past && table->slot(i).database == MyDatabaseId;
    const SlotSnapshot snapshot = is_here ? SnapshotOf(table->slot(i)) : SlotSnapshot();
    LWLockRelease(&pg::prefetcher->lock);
    if (is_past) break;
    if (!is_here) continue;
    pg::Row<7> row;
    row.AddText(snapshot.sequencer);
    row.AddText(snapshot.key);
    snapshot.has_next ? row.AddInt(snapshot.next_value) : row.AddNull();
    row.AddInt(snapshot.left);
    row.AddInt(snapshot.size);
    row.AddInt(snapshot.fetches);
    row.AddInt(snapshot.waits);
    row.Store(fcinfo);
  }
  return Datum{0};
}

}  // extern "C"
