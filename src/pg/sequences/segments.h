// Values of sequencers that have segments: from shared memory while a segment lasts.
#pragma once

#include "pg/base/pg.h"

#include "pg/lease/settings.h"
#include "pg/sequences/mark_file.h"
#include "pg/sequences/segment_table.h"

namespace idgen::pg {

// Values of one call, as they were got: every piece follows the one before, not always at once.
struct Pieces {
  struct Piece {
    int64 first;
    int64 count;
  };
  Piece* pieces;
  int count;
  int room;
  int64 values;
};

// Takes `count` values of the key, in order; the pieces are in the current memory context. Where there are fewer before
// the maximum it takes those that are left; where none are, the answer says so, or what else the store says. Raises
// 55000 where there is no shared memory, and what AskStore() raises.
sequencer::Answer TakeValues(const Sequencer& sequencer, const sequencer::StoreKey& key, int64 count, Pieces* taken);

// Where this session took from last, by the names that it was asked by.
struct LatestPlace {
  SegmentPlace* place;  // nullptr: none
  uint64 tenure;
  int64 step;
  uint64 access_count;       // the store_access_count that it is of
  uint64 definitions_count;  // of the table of sequencers, likewise
  Size sequencer_size, key_size;
  char sequencer[NAMEDATALEN];
  char key[sequencer::kMaxKeyBytes];
};
extern LatestPlace latest_place;

// Remembers where the call of TakeValues() before took from.
void RememberPlace(const text* key, const text* sequencer);

// The worker is asked for the place's next segment.
void WantSegment(SegmentPlace& place, uint64 tenure);

inline void NoteUse(SegmentPlace& place) {
  const uint64 turn = Segments()->turn.load(std::memory_order_relaxed);
  if (place.used.load(std::memory_order_relaxed) != turn) place.used.store(turn, std::memory_order_relaxed);
}

// After values were taken: the mark is of them, or of a later segment.
inline void AwaitMarkOf(const SegmentPlace& place) {
  const uint64 mark = place.mark.load(std::memory_order_relaxed);
  if (unlikely(mark != 0) && mark > MarksSynced()) AwaitMark(mark);
}

inline bool IsText(const text* given, const char* bytes, Size size) {
  return VARSIZE_ANY_EXHDR(given) == size && memcmp(VARDATA_ANY(given), bytes, size) == 0;
}

// The next value, where the place is the one of the latest call and has one; otherwise TakeValues() has to find it.
inline bool TakeAtOnce(const text* key, const text* sequencer, int64* value) {
  const LatestPlace& latest = latest_place;
  if (latest.place == nullptr || latest.definitions_count != sequencers.count ||
      latest.access_count != store_access_count || !IsText(key, latest.key, latest.key_size) ||
      !IsText(sequencer, latest.sequencer, latest.sequencer_size))
    return false;
  const sequencer::Piece piece =
      sequencer::Take<core::PlainMemory>(latest.place->segments, latest.tenure, latest.step, 1);
  if (piece.outcome != sequencer::Piece::Outcome::kOk) return false;
  NoteUse(*latest.place);
  AwaitMarkOf(*latest.place);
  if (unlikely(piece.is_low) && latest.place->wanted.load(std::memory_order_relaxed) == 0)
    WantSegment(*latest.place, latest.tenure);
  *value = piece.first;
  return true;
}

// Around a set or drop: what this server has of the key is given up when it ends, unless it has changed nothing. If the
// process ends in the middle (FATAL unwinds no PG_TRY), likewise: the store may have carried it out.
void BeginKeyChange(const sequencer::StoreKey& key);
void EndKeyChange(bool changed);

// One segment for a place, from the store; for who is its only fetcher, and called without the lock. `need`: it is to
// have so many values at the least, if there are so many. The answer is kOk also where somebody gave up meanwhile what
// was asked for. Whatever happens, nobody fetches for the place afterwards. `ahead`: nobody waits for it, and its mark
// is on disk before it is put down; otherwise those who take of it see to that when they commit.
sequencer::Answer Fetch(SegmentPlace& place, int64 need, bool ahead, int64 until_us);

// Makes this process the place's only fetcher; false where there is one. For who holds the lock.
bool BeginFetch(SegmentPlace& place);

// Gives values back that nobody got, where they are still the store's last. Raises what AskStore() raises.
void GiveBack(const ReturnedRest& rest, int64 until_us);

}  // namespace idgen::pg
