// How a server hands out values of sequences. The protocol is written once, as templates over a host; PostgreSQL
// (pg/sequence_host/) and the simulator (tests/sim/sequences/) are its two hosts.
//
// From SQL to the Redis command in five steps:
//
//   1. TakeValues      (take_values.h)  takes values from the key's slot in shared memory; if it runs out, goes on to
//   2. FetchSegment    (take_values.h)  fetches a segment, for everybody who waits for values of the key
//   3. AskAboveMarks   (above_marks.h)  asks the store, validates the answer against the key's high-water mark, and
//                                       raises the store if it has lost values
//   4. Host::AskStore                   hands the operation to the store, and waits for the answer
//   5. AddRequest      (redis/request.h) within step 4: composes the Redis commands that are then sent
//
// A sequencer without a cache has no segments: its calls begin at step 3. Outside these steps, prefetch.h fetches
// segments before they are used up, and keep_marks.h writes and syncs the records of high-water marks.
//
// Errors. A host operation marked (leaves) may not return: in PostgreSQL it raises an error, which is a longjmp; in the
// simulator it throws. So the frames of the protocol hold only trivially destructible objects, no lock is held across
// such an operation, and what must happen on the way out is found in the Session: the boundary, which catches the error
// (and, in PostgreSQL, an exit callback for a process that ends), calls Abandon().
//
// Locks. There are two, of the slots and of the marks. They are never held together, and never while the store is
// asked, the file is written, or somebody waits.
#pragma once

#include <concepts>

#include "sequencer/slot_table.h"

namespace idgen::sequencer {

// The set or drop that is in progress. If it ends without an answer, the store may have carried it out.
struct KeyChange {
  bool is_open = false;
  uint64_t store = 0;
  uint64_t hash = 0;
  size_t key_bytes = 0;
  char key[kMaxStoreKeyBytes] = {};
};

// What a process remembers between calls, and what Abandon() has to undo.
struct Session {
  Slot* slot = nullptr;  // that TakeValues() took from last
  uint64_t tenure = 0;   // of that slot
  Slot* own_fetch = nullptr;
  KeyChange change;
  // The writer (the identity of the store's process) at the other end of the connection with this number.
  uint64_t writer_connection = 0;
  uint64_t writer = 0;
};

// How far the records of marks have come, in shared memory. Writes are numbered (Marks::writes).
struct MarkProgress {
  Word written;  // writes up to this one are in the file
  Word synced;   // writes up to this one are on disk
  Word keeper;   // the marks keeper: the process that writes and syncs; 0: none
};

enum class Loss : uint8_t;

// The operations of a host that ask the store and keep marks.
template <class Host>
concept MarkHost = requires(Host& host, const Operation& operation, const StoreKey& key, Answer* answers,
                            const Known* known, Loss loss, const MarkRecord& record, const Word& done, uint64_t number,
                            int64_t until_us, int count) {
  { host.session() } -> std::same_as<Session&>;
  // The number of this process, which no other process of the server has at the same time; never 0.
  { host.self() } -> std::same_as<uint64_t>;
  { host.NowUs() } -> std::same_as<int64_t>;  // boot-time clock
  // (leaves) if the call is cancelled.
  host.CheckCancel();

  // (leaves) Asks the store about `count` keys, and returns when every answer is there; the answers are fresh. Returns
  // the number of the connection that all answers came over, a number that no other connection of this process has had;
  // 0 if they came over several. An operation that is only for a connection that is gone leaves its answer kUnasked.
  { host.AskStore(operation, &key, answers, count, until_us) } -> std::same_as<uint64_t>;

  { host.has_marks() } -> std::same_as<bool>;
  // Whether the store may lose what it has acknowledged. If not, marks matter only after another store has taken its
  // place, so that AwaitMark() may let transactions commit before they are on disk.
  { host.may_forget() } -> std::same_as<bool>;
  { host.HashOf(key) } -> std::same_as<KeyHash>;
  // (leaves) Who asks: the owner of new marks.
  { host.owner() } -> std::same_as<uint64_t>;
  // The table of marks, locked until UnlockMarks().
  { host.LockMarks() } -> std::same_as<Marks>;
  host.UnlockMarks();
  // The same around a change that a crash must not leave half done.
  { host.BeginMarkChange() } -> std::same_as<Marks>;
  host.EndMarkChange();
  // The transaction does not commit before this write is on disk, or in the file if the store does not forget.
  host.AwaitMark(number);
  // (leaves) The store gave a value below a mark, or a doubtful one.
  host.LogLoss(key, *known, loss, until_us);
  // (leaves) Waits before the store is raised again: it has given values that are no longer of use `times` times.
  host.PauseBeforeRaise(key, until_us, count, until_us);

  { host.mark_progress() } -> std::same_as<MarkProgress&>;
  // (leaves) For the marks keeper: opens the file, writes a record (false if that failed; then FailWrite() raises why),
  // syncs.
  host.OpenMarkFile();
  { host.WriteMark(size_t{0}, record) } -> std::same_as<bool>;
  host.FailWrite();
  host.SyncMarkFile();
  // (leaves) Until the marks keeper has ended or `done` covers the write, or earlier: the caller checks again.
  host.WaitForKeeper(done, number, until_us);
  host.WakeKeepers();
  // False if no process can be asked to sync soon.
  { host.RequestSync() } -> std::same_as<bool>;

  // For bookkeeping of tests: marks have been looked up, a mark has been noted.
  host.OnFound(&key, known, count);
  host.OnNoted(key);
};

// The operations of a host that has segments, too.
template <class Host>
concept SlotHost = MarkHost<Host> && requires(Host& host, Slot& slot, const Range& range, const Answer& answer,
                                              const ReturnedRemainder& remainder, int64_t until_us) {
  typename Host::Memory;  // how words of shared memory are reached: core/memory.h
  { host.slots() } -> std::same_as<SlotTable&>;
  host.LockSlots();
  host.LockSlotsShared();
  host.UnlockSlots();
  { host.store() } -> std::same_as<uint64_t>;  // that the settings name
  { host.marks_synced() } -> std::same_as<uint64_t>;
  // (leaves) Hands values to the caller of TakeValues(), in order.
  host.AddRange(range);
  // (leaves) Until the fetch for the slot has ended, or earlier: the caller checks again. PrepareToWait() leaves if the
  // time is up; after it no wake-up is missed.
  host.PrepareToWait(slot, until_us);
  host.WaitForFetch(slot, until_us);
  host.EndWait(slot);
  host.WakeFetchWaiters(slot);
  // (leaves) Every slot has a fetch in progress: waits a moment. Leaves if the time is up.
  host.WaitForSlot(until_us);
  // The process that fetches ahead: starts it unless it runs; wakes it, while the lock is held.
  host.StartPrefetcher();
  host.WakePrefetcher();

  // For bookkeeping of tests.
  host.OnTaken(slot, range);       // before anything else happens to the slot's words
  host.OnFetched(slot, answer);    // the store's answer counts
  host.OnPut(slot);                // the segment is about to be put
  host.OnClosed(slot, remainder);  // while the lock is held
};

}  // namespace idgen::sequencer
