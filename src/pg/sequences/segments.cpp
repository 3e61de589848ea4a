// Taking values, over several segments where it must be, and fetching segments: one process per key at a time, the
// others wait for it. No lock is held while the store is asked.
#include "pg/sequences/segments.h"

#include "io/clock.h"
#include "pg/base/preload.h"
#include "pg/sequences/segment_worker.h"
#include "pg/sequences/sequence_marks.h"
#include "pg/sequences/sequence_store.h"

#include <cstring>

namespace idgen::pg {

LatestPlace latest_place = {};

namespace {

using core::PlainMemory;
using sequencer::Answer;
using sequencer::Operation;
using Outcome = sequencer::Answer::Outcome;

// The place of the latest call of TakeValues().
SegmentPlace* current_place = nullptr;
uint64 current_tenure = 0;

SegmentPlace* own_fetch = nullptr;  // what this process fetches for

// Puts down what came, and lets the others go on, whether anything came or not.
void EndFetch(const Answer* answer, uint64 changes, int64 size, int64 began_us, uint64 mark) {
  SegmentTable& table = *Segments();
  SegmentPlace& place = *own_fetch;
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  if (answer != nullptr && answer->outcome == Outcome::kOk && place.changes == changes) {
    place.mark.store(Max(place.mark.load(), mark));
    const uint64 serial = sequencer::Put<PlainMemory>(place.segments, answer->grant.Value(0), answer->grant.count);
    place.generations[serial & 1] = answer->generation;
    place.follows = answer->number_before != 0 && answer->number_before == place.numbers[(serial - 1) & 1];
    place.numbers[serial & 1] = answer->number;
    ++place.fetches;
    place.size = size;
    place.fetched_at_us = began_us;
    place.wanted.store(0);
  }
  place.fetcher = 0;
  own_fetch = nullptr;
  LWLockRelease(table.lock);
  ConditionVariableBroadcast(&place.fetched);
}

void AbandonFetch(int, Datum) {
  if (own_fetch != nullptr) EndFetch(nullptr, 0, 0, 0, 0);
}

// The set or drop that this process is in the middle of.
struct KeyChange {
  bool is_open;
  uint64 store;
  Size key_size;
  char key[sequencer::kMaxStoreKeyBytes];
};
KeyChange key_change = {};

void AbandonKeyChange(int, Datum) { EndKeyChange(true); }

[[noreturn]] void RaiseNoSegment() {
  ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("the sequence store does not answer"),
                  errdetail("Values of the key are asked for by others, and none has come within %lld ms.",
                            static_cast<long long>(StoreTimeoutUs() / core::kUsPerMs)),
                  errhint("See \"%s\" and \"idgen.sequence_timeout\".", StoreSetting())));
}

// Until the place's fetch has ended, or longer: the caller looks again.
void WaitForFetch(SegmentPlace& place, int64 until_us) {
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenSequenceSegment");
  const int64 left_us = until_us - io::BootUs();
  if (left_us <= 0) RaiseNoSegment();
  SegmentTable& table = *Segments();
  ConditionVariablePrepareToSleep(&place.fetched);
  LWLockAcquire(table.lock, LW_SHARED);
  const bool is_fetched_for = place.fetcher != 0;
  LWLockRelease(table.lock);
  if (is_fetched_for)
    ConditionVariableTimedSleep(&place.fetched, static_cast<long>(left_us / core::kUsPerMs + 1), wait_event);
  ConditionVariableCancelSleep();
}

void AddPiece(Pieces* taken, const sequencer::Piece& piece) {
  if (taken->count == taken->room) {
    taken->room = taken->room == 0 ? 4 : taken->room * 2;
    const Size size = sizeof(Pieces::Piece) * static_cast<Size>(taken->room);
    taken->pieces =
        static_cast<Pieces::Piece*>(taken->pieces == nullptr ? palloc(size) : repalloc(taken->pieces, size));
  }
  taken->pieces[taken->count++] = {.first = piece.first, .count = piece.count};
  taken->values += piece.count;
}

// Every place is being fetched for: until one is not, or longer.
void WaitForRoom(int64 until_us) {
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenSequenceRoom");
  if (io::BootUs() >= until_us)
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("no room for another key of a sequence"),
             errdetail("The server has room for %d, and waits for values of all of them.", Segments()->place_count),
             errhint("Raise \"idgen.max_sequence_keys\" and restart the server.")));
  WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1, wait_event);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

// Makes the place of the key the current one. False where there is no room for it now.
bool FindCurrentPlace(const SegmentName& name, int64 until_us) {
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_SHARED);
  current_place = FindPlace(table, name);
  if (current_place != nullptr) current_tenure = current_place->segments.tenure.load();
  LWLockRelease(table.lock);
  if (current_place != nullptr) return true;
  static ReturnedRest rest;
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  current_place = FindPlace(table, name);
  rest.operation.count = 0;
  if (current_place == nullptr) current_place = MakePlace(table, name, &rest);
  if (current_place != nullptr) current_tenure = current_place->segments.tenure.load();
  LWLockRelease(table.lock);
  GiveBack(rest, until_us);
  return current_place != nullptr;
}

}  // namespace

bool BeginFetch(SegmentPlace& place) {
  static bool registered = false;
  if (!registered) before_shmem_exit(AbandonFetch, Datum{0});
  registered = true;
  if (place.fetcher != 0) return false;
  place.fetcher = MyProcPid;
  own_fetch = &place;
  return true;
}

Answer Fetch(SegmentPlace& place, int64 need, bool ahead, int64 until_us) {
  SegmentTable& table = *Segments();
  const int64 now_us = io::BootUs();
  // Nobody but the fetcher writes the size, and nobody gives the place to another key.
  LWLockAcquire(table.lock, LW_SHARED);
  const uint64 changes = place.changes;
  LWLockRelease(table.lock);
  const int64 size = sequencer::NextSegmentSize(place.size, now_us - place.fetched_at_us, place.definition.cache);
  Operation operation = {.kind = Operation::Kind::kSegment,
                         .definition = place.definition,
                         .count = Max(size, Min(need, sequencer::kMaxSegment))};
  const sequencer::StoreKey key = place.store_key();
  Answer answer;
  volatile uint64 mark = 0;
  PG_TRY();
  {
    // Near the maximum: what is left there, which others may be taking, too.
    while (true) {
      answer = Answer();
      mark = AskForSegmentAboveMarks(operation, key, &answer, until_us);
      if (answer.outcome != Outcome::kFull) break;
      const int64 left = answer.had ? sequencer::LeftAfter(operation.definition, answer.last)
                                    : sequencer::CountOf(operation.definition);
      if (left == 0) break;
      operation.count = Min(left, operation.count);
      CHECK_FOR_INTERRUPTS();
    }
    if (ahead) SyncMarks(mark, until_us);
  }
  PG_CATCH();
  {
    EndFetch(nullptr, 0, 0, 0, 0);
    PG_RE_THROW();
  }
  PG_END_TRY();
  EndFetch(&answer, changes, size, now_us, mark);
  return answer;
}

void GiveBack(const ReturnedRest& rest, int64 until_us) {
  if (rest.operation.count == 0 || rest.store != StoreIdentity()) return;
  const sequencer::StoreKey key = rest.store_key();
  Answer answer;
  TakeBackMark(rest.operation, key, until_us);
  AskStore(rest.operation, &key, &answer, 1, until_us);
}

Answer TakeValues(const Sequencer& sequencer, const sequencer::StoreKey& key, int64 count, Pieces* taken) {
  if (Segments() == nullptr) RaiseNotPreloaded();
  SegmentTable& table = *Segments();
  const SegmentName name = NameOfSegments(sequencer, key);
  const int64 until_us = io::BootUs() + StoreTimeoutUs();
  *taken = {};
  Answer answer;
  answer.outcome = Outcome::kOk;
  bool is_full = false, has_waited = false;
  current_place = nullptr;
  while (taken->values < count) {
    if (current_place == nullptr && !FindCurrentPlace(name, until_us)) {
      WaitForRoom(until_us);
      continue;
    }
    SegmentPlace& place = *current_place;
    const int64 missing = count - taken->values;
    // A batch that has not enough is fetched for before it takes the rest: where that fails, nothing is lost.
    if (missing == 1 || is_full || sequencer::CountLeft<PlainMemory>(place.segments) >= missing ||
        sequencer::HasReady<PlainMemory>(place.segments)) {
      const sequencer::Piece piece =
          sequencer::Take<PlainMemory>(place.segments, current_tenure, sequencer.definition.step, missing);
      if (piece.outcome == sequencer::Piece::Outcome::kOk) {
        AddPiece(taken, piece);
        NoteUse(place);
        AwaitMarkOf(place);
        if (piece.is_low && place.wanted.load(std::memory_order_relaxed) == 0) WantSegment(place, current_tenure);
        continue;
      }
      if (piece.outcome == sequencer::Piece::Outcome::kNone && is_full) break;
      if (piece.outcome == sequencer::Piece::Outcome::kGone) {
        current_place = nullptr;
        continue;
      }
    }
    LWLockAcquire(table.lock, LW_EXCLUSIVE);
    const bool is_there = place.segments.tenure.load() == current_tenure;
    const int64 left = is_there ? sequencer::CountLeft<PlainMemory>(place.segments) : 0;
    const bool has_room = is_there && !sequencer::HasReady<PlainMemory>(place.segments);
    const bool may_fetch = has_room && left < missing;
    const bool is_mine = may_fetch && BeginFetch(place);
    if (may_fetch && !has_waited) place.waits.fetch_add(1);
    LWLockRelease(table.lock);
    if (!is_there) current_place = nullptr;
    if (!may_fetch) continue;
    has_waited = true;
    if (!is_mine) {
      WaitForFetch(place, until_us);
      continue;
    }
    answer = Fetch(place, missing - left, false, until_us);
    is_full = answer.outcome == Outcome::kFull;
    if (place.size > 1) KeepSegmentWorker();
    if (answer.outcome == Outcome::kOk || is_full) continue;
    return answer;
  }
  if (taken->values > 0) answer.outcome = Outcome::kOk;
  return answer;
}

void RememberPlace(const text* key, const text* sequencer) {
  LatestPlace& latest = latest_place;
  latest.place = nullptr;
  if (current_place == nullptr) return;
  latest.tenure = current_tenure;
  latest.step = current_place->definition.step;
  latest.access_count = store_access_count;
  latest.definitions_count = sequencers.entries_count;
  latest.sequencer_size = VARSIZE_ANY_EXHDR(sequencer);
  latest.key_size = VARSIZE_ANY_EXHDR(key);
  memcpy(latest.sequencer, VARDATA_ANY(sequencer), latest.sequencer_size);
  memcpy(latest.key, VARDATA_ANY(key), latest.key_size);
  latest.place = current_place;
}

void WantSegment(SegmentPlace& place, uint64 tenure) {
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  if (place.segments.tenure.load() == tenure && place.wanted.load() == 0 &&
      table.queue_tail - table.queue_head < SegmentTable::kQueue) {
    place.wanted.store(1);
    table.queue[table.queue_tail++ % SegmentTable::kQueue] = static_cast<int32>(&place - table.places);
  }
  if (table.latch != nullptr) SetLatch(table.latch);
  LWLockRelease(table.lock);
}

void BeginKeyChange(const sequencer::StoreKey& key) {
  static bool registered = false;
  if (Segments() == nullptr) return;
  if (!registered) before_shmem_exit(AbandonKeyChange, Datum{0});
  registered = true;
  key_change.store = StoreIdentity();
  key_change.key_size = key.size;
  memcpy(key_change.key, key.bytes, key.size);
  key_change.is_open = true;
}

void EndKeyChange(bool changed) {
  if (!key_change.is_open) return;
  key_change.is_open = false;
  if (!changed) return;
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  ForgetSegments(table, {key_change.key, key_change.key_size}, key_change.store);
  LWLockRelease(table.lock);
}

}  // namespace idgen::pg
