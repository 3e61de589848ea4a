// The function behind idgen_stat_sequences.
#include <cstring>

#include "pg/base/row.h"
#include "pg/base/locks.h"
#include "pg/sequence_host/slot_memory.h"

using namespace idgen;

namespace {

struct Seen {
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

// The caller holds the lock; values may be taken meanwhile nevertheless.
Seen Look(const sequencer::Slot& slot) {
  Seen seen = {};
  strlcpy(seen.sequencer, slot.sequencer, sizeof seen.sequencer);
  CopyKey(slot, seen.key);
  seen.has_next = sequencer::NextValue<core::PlainMemory>(slot.segments, slot.definition.step, &seen.next_value);
  seen.left = sequencer::CountLeft<core::PlainMemory>(slot.segments);
  seen.size = slot.size;
  seen.fetches = slot.fetches;
  seen.waits = static_cast<int64>(slot.waits.load());
  return seen;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_stat_get_sequences);
PGDLLEXPORT Datum idgen_sql_stat_get_sequences(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  sequencer::SlotTable* table = pg::slot_table;
  if (table == nullptr) return Datum{0};
  for (int i = 0; i < table->capacity(); ++i) {
    pg::AcquireLock(pg::prefetcher->lock, LW_SHARED);
    const bool is_past = i >= table->used_count();
    const bool is_here = !is_past && table->slot(i).database == MyDatabaseId;
    const Seen seen = is_here ? Look(table->slot(i)) : Seen();
    LWLockRelease(pg::prefetcher->lock);
    if (is_past) break;
    if (!is_here) continue;
    pg::Row<7> row;
    row.AddText(seen.sequencer);
    row.AddText(seen.key);
    seen.has_next ? row.AddInt(seen.next_value) : row.AddNull();
    row.AddInt(seen.left);
    row.AddInt(seen.size);
    row.AddInt(seen.fetches);
    row.AddInt(seen.waits);
    row.Store(fcinfo);
  }
  return Datum{0};
}

}  // extern "C"
