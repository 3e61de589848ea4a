// The function behind idgen_stat_sequences.
#include <cstring>

#include "pg/base/row.h"
#include "pg/sequences/segment_table.h"

using namespace idgen;

namespace {

struct Seen {
  char sequencer[NAMEDATALEN];
  char key[sequencer::kMaxKeyBytes + 1];
  bool has_next;
  int64 next_value, left, size, fetches, waits;
};

// The part of the store's name that the caller gave: prefix{length:key}.
void CopyKey(const pg::SegmentPlace& place, char* key) {
  std::string_view name = place.store_key().value().substr(static_cast<size_t>(place.prefix_size));
  name.remove_prefix(name.find(':') + 1);
  name.remove_suffix(1);
  memcpy(key, name.data(), name.size());
  key[name.size()] = '\0';
}

// For who holds the lock. Values may be taken meanwhile all the same.
Seen Look(const pg::SegmentPlace& place) {
  using sequencer::Cursor;
  Seen seen = {};
  strlcpy(seen.sequencer, place.sequencer, sizeof seen.sequencer);
  CopyKey(place, seen.key);
  const sequencer::Segments& segments = place.segments;
  const uint64 cursor = segments.cursor.load();
  const uint64 serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  const sequencer::Segments::Slot& slot = segments.slots[serial & 1];
  if (gone != Cursor::kClosed && gone < slot.count.load()) {
    seen.has_next = true;
    seen.next_value = static_cast<int64>(slot.first.load()) + static_cast<int64>(gone) * place.definition.step;
  } else if (segments.ready.load() == serial + 1) {
    seen.has_next = true;
    seen.next_value = static_cast<int64>(segments.slots[(serial + 1) & 1].first.load());
  }
  seen.left = sequencer::CountLeft<core::PlainMemory>(segments);
  seen.size = place.size;
  seen.fetches = place.fetches;
  seen.waits = static_cast<int64>(place.waits.load());
  return seen;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_stat_get_sequences);
PGDLLEXPORT Datum idgen_sql_stat_get_sequences(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  pg::SegmentTable* table = pg::Segments();
  if (table == nullptr) return Datum{0};
  for (int i = 0; i < table->place_count; ++i) {
    LWLockAcquire(table->lock, LW_SHARED);
    const bool is_past = i >= table->used_count;
    const bool is_here = !is_past && table->places[i].database == MyDatabaseId;
    const Seen seen = is_here ? Look(table->places[i]) : Seen();
    LWLockRelease(table->lock);
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
