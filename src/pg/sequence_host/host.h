// PostgreSQL as a host of the sequence protocol: the operations that sequencer/protocol.h names.
#pragma once

#include "pg/base/pg.h"

#include "io/clock.h"
#include "pg/base/locks.h"
#include "pg/sequence_host/mark_file.h"
#include "pg/sequence_host/slot_memory.h"
#include "sequencer/protocol.h"

namespace idgen::pg {

// The values of one call in order: ranges, in the memory context that was current then.
struct Ranges {
  struct Range {
    int64 first;
    int64 count;
  };
  Range* ranges;
  int count;
  int capacity;
  int64 values;
};

class Host {
 public:
  using Memory = core::PlainMemory;

  explicit Host(Ranges* taken = nullptr) noexcept : taken_(taken) {}

  sequencer::Session& session() noexcept { return session_; }
  uint64 self() const noexcept { return static_cast<uint64>(MyProcPid); }
  int64 NowUs() const noexcept { return io::BootUs(); }
  void CheckCancel() { CHECK_FOR_INTERRUPTS(); }

  uint64 AskStore(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
                  int count, int64 until_us);

  bool has_marks() const noexcept { return HasMarkMemory(); }
  bool may_forget() const noexcept;
  sequencer::KeyHash HashOf(const sequencer::StoreKey& key) noexcept { return HashOfMark(key); }
  uint64 owner();
  sequencer::Marks LockMarks() { return pg::LockMarks(); }
  void UnlockMarks() { pg::UnlockMarks(); }
  sequencer::Marks BeginMarkChange() { return pg::BeginMarkChange(); }
  void EndMarkChange() { pg::EndMarkChange(); }
  void AwaitMark(uint64 write) noexcept;
  void LogLoss(const sequencer::StoreKey& key, const sequencer::Known& known, sequencer::Loss loss, int64 value);
  void PauseBeforeRaise(const sequencer::StoreKey& key, int64 value, int times, int64 until_us);

  sequencer::MarkProgress& mark_progress() noexcept { return *pg::mark_progress; }
  void OpenMarkFile() { pg::OpenMarkFile(); }
  bool WriteMark(size_t slot, const sequencer::MarkRecord& record) { return WriteMarkRecord(slot, record); }
  void FailWrite() { FailMarkWrite(); }
  void SyncMarkFile() { pg::SyncMarkFile(); }
  void WaitForKeeper(const core::Word& done, uint64 write, int64 until_us) { WaitForMarkKeeper(done, write, until_us); }
  void WakeKeepers() { WakeMarkKeepers(); }
  bool RequestSync();

  sequencer::SlotTable& slots() noexcept { return *slot_table; }
  void LockSlots() { AcquireLock(&prefetcher->lock, LW_EXCLUSIVE); }
  void LockSlotsShared() { AcquireLock(&prefetcher->lock, LW_SHARED); }
  void UnlockSlots() { LWLockRelease(&prefetcher->lock); }
  uint64 store() const noexcept;
  uint64 marks_synced() const noexcept { return pg::mark_progress->synced.load(std::memory_order_relaxed); }
  void AddRange(const sequencer::Range& range);
  void PrepareToWait(const sequencer::Slot& slot, int64 until_us);
  void WaitForFetch(const sequencer::Slot& slot, int64 until_us);
  void EndWait(const sequencer::Slot&) { ConditionVariableCancelSleep(); }
  void WakeFetchWaiters(const sequencer::Slot& slot) { ConditionVariableBroadcast(&FetchedVariable(slot)); }
  void WaitForSlot(int64 until_us);
  void StartPrefetcher();
  void WakePrefetcher() {
    if (prefetcher->latch != nullptr) SetLatch(prefetcher->latch);
  }

  void OnFound(const sequencer::StoreKey*, const sequencer::Known*, int) {}
  void OnNoted(const sequencer::StoreKey&) {}
  void OnTaken(const sequencer::Slot&, const sequencer::Range&) {}
  void OnFetched(const sequencer::Slot&, const sequencer::Answer&) {}
  void OnPut(const sequencer::Slot&) {}
  void OnClosed(const sequencer::Slot&, const sequencer::ReturnedRemainder&) {}

  // The writes of marks that have to be on disk, or in the file, before the transaction commits; 0: none.
  static uint64 awaited_mark;
  static uint64 awaited_in_file;

 private:
  static sequencer::Session session_;
  Ranges* taken_;
};

// Undoes what an error, or the end of this process, has left half done. The second form registers it for the end.
void AbandonSequenceCall();
void AbandonSequenceCallAtExit();

// For _PG_init: marks are synced before a transaction commits that depends on them.
void SyncMarksBeforeCommit();

}  // namespace idgen::pg
