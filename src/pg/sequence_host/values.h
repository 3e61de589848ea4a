// The boundary between SQL functions and the sequence protocol: what raises inside is cleaned up here.
#pragma once

#include "pg/base/pg.h"

#include "pg/lease/settings.h"
#include "pg/sequence_host/host.h"
#include "pg/sequences/sequencers.h"
#include "sequencer/take_values.h"

namespace idgen::pg {

// Takes `count` values of the key of a sequencer with segments, in order; the ranges are in the current memory context.
// If fewer are left before the maximum, it takes those; if none are, the answer says so, or what else the store says.
// Raises what AskStore() raises, and 53400 if no slot becomes free in time.
sequencer::Answer TakeValues(const Sequencer& sequencer, const sequencer::StoreKey& key, int64 count, Ranges* taken);

// One kNext operation on `count` keys, above their marks. The answers are fresh.
void AskForValues(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
                  int count);

// A set or drop of the key.
sequencer::Answer ChangeKey(const sequencer::Operation& operation, const sequencer::StoreKey& key);

// The slot that this session took from last, by the names that the caller gave.
struct LatestSlot {
  sequencer::Slot* slot;  // nullptr: none
  uint64 tenure;
  int64 step;
  uint64 access_count;       // store_access_count at that time
  uint64 definitions_count;  // sequencers.entries_count at that time
  Size sequencer_size, key_size;
  char sequencer[NAMEDATALEN];
  char key[sequencer::kMaxKeyBytes];
};
extern LatestSlot latest_slot;

// Remembers the slot of the previous call of TakeValues().
void RememberSlot(const text* key, const text* sequencer);

inline bool IsText(const text* given, const char* bytes, Size size) {
  return VARSIZE_ANY_EXHDR(given) == size && memcmp(VARDATA_ANY(given), bytes, size) == 0;
}

// The next value, if the names are those of the latest slot and the slot has one. Otherwise TakeValues() has to find
// it.
inline bool TryTakeFromLatestSlot(const text* key, const text* sequencer, int64* value) {
  const LatestSlot& latest = latest_slot;
  if (latest.slot == nullptr || latest.definitions_count != sequencers.count ||
      latest.access_count != store_access_count || !IsText(key, latest.key, latest.key_size) ||
      !IsText(sequencer, latest.sequencer, latest.sequencer_size))
    return false;
  Host host;
  const sequencer::Range range = sequencer::TakeFromSlot(host, *latest.slot, latest.tenure, latest.step, 1);
  *value = range.first;
  return range.result == sequencer::Range::Result::kTaken;
}

}  // namespace idgen::pg
