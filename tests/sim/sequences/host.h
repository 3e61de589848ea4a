// The simulator as a host of the sequence protocol: the operations that sequencer/protocol.h names, for one call of one
// process. Beside them, the bookkeeping that the ledger needs.
#pragma once

#include "sequences/server.h"

namespace idgen::sim::sequences {

class SimHost {
 public:
  using Memory = SimMemory;

  SimHost(Server& server, Actor& actor) noexcept : server_(server), actor_(actor) {}

  sequencer::Session& session() noexcept { return actor_.session; }
  uint64_t self() const noexcept { return static_cast<uint64_t>(actor_.index) + 1; }
  int64_t NowUs() const noexcept { return world().now_us_; }
  void CheckCancel() { server_.CheckCancel(actor_); }

  uint64_t AskStore(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
                    int count, int64_t until_us);

  bool has_marks() const noexcept { return true; }
  bool may_forget() const noexcept { return world().plan_.store == StoreKind::kRedis; }
  sequencer::KeyHash HashOf(const sequencer::StoreKey& key) noexcept { return Server::HashOf(key); }
  // Half of the backends belong to one role, half to another, and the prefetcher to none.
  uint64_t owner() const noexcept {
    return actor_.number < world().plan_.backends ? static_cast<uint64_t>(1 + actor_.number % 2) : 0;
  }
  sequencer::Marks LockMarks() {
    server_.Acquire(actor_, memory().marks_lock);
    return server_.Marks();
  }
  void UnlockMarks() { server_.Release(memory().marks_lock); }
  sequencer::Marks BeginMarkChange() { return LockMarks(); }
  void EndMarkChange() {
    if (world().plan_.may_evict) server_.NoteEvicted();
    UnlockMarks();
  }
  void AwaitMark(uint64_t write) noexcept { actor_.awaited = std::max(actor_.awaited, write); }
  void LogLoss(const sequencer::StoreKey& key, const sequencer::Known& known, sequencer::Loss, int64_t value);
  void PauseBeforeRaise(const sequencer::StoreKey&, int64_t, int times, int64_t until_us);

  sequencer::MarkProgress& mark_progress() noexcept { return memory().progress; }
  void OpenMarkFile() {}
  bool WriteMark(size_t slot, const sequencer::MarkRecord& record);
  [[noreturn]] void FailWrite() { throw CallFailed{"the disk"}; }
  void SyncMarkFile() { server_.SyncFile(actor_); }
  void WaitForKeeper(const core::Word&, uint64_t, int64_t until_us);
  void WakeKeepers() {}
  bool RequestSync();

  sequencer::SlotTable& slots() noexcept { return *memory().table; }
  void LockSlots() { server_.Acquire(actor_, memory().table_lock); }
  void LockSlotsShared() { LockSlots(); }
  void UnlockSlots() { server_.Release(memory().table_lock); }
  uint64_t store() const noexcept { return 1; }
  uint64_t marks_synced() const noexcept { return memory().progress.synced.load(); }
  void AddRange(const sequencer::Range&) {}
  void PrepareToWait(const sequencer::Slot& slot, int64_t until_us);
  void WaitForFetch(const sequencer::Slot& slot, int64_t until_us);
  void EndWait(const sequencer::Slot&) { actor_.waits_for = nullptr; }
  void WakeFetchWaiters(const sequencer::Slot& slot);
  void WaitForSlot(int64_t until_us);
  void StartPrefetcher() {}
  void WakePrefetcher() { world().Wake(*server_.actors_.back()); }

  // In a handler no fiber may be left.
  template <class Body>
  bool Attempt(const Body& body) {
    bool failed = false;
    try {
      body();
    } catch (const CallFailed&) {
      failed = true;
    }
    return !failed;
  }

  void OnFound(const sequencer::StoreKey* keys, const sequencer::Known* known, int count);
  void OnNoted(const sequencer::StoreKey& key);
  void OnTaken(const sequencer::Slot& slot, const sequencer::Range& range);
  void OnFetched(const sequencer::Slot& slot, const sequencer::Answer& answer);
  void OnPut(const sequencer::Slot& slot);
  void OnClosed(const sequencer::Slot& slot, const sequencer::ReturnedRemainder& remainder);

  // What the store gave, for the ledger.
  size_t AddGrant(int key, const sequencer::Answer& answer);
  const Ran& ran(int key) const noexcept { return asked_[key].ran; }

 private:
  struct Asked {
    uint64_t found = 0, asked = 0, noted = 0;
    Ran ran;
    World::Known knew;
  };

  World& world() const noexcept { return server_.world_; }
  Server::Memory& memory() const noexcept { return *server_.memory_; }
  std::vector<size_t>& GrantsOf(const sequencer::Slot& slot) {
    return memory().grants[static_cast<size_t>(slots().IndexOf(slot))];
  }

  Server& server_;
  Actor& actor_;
  size_t fetched_ = 0;         // the grant of the segment that is being fetched
  uint64_t returned_ran_ = 0;  // when the store gave the remainder that is to be given back
  Asked asked_[kMostKeys];
};

}  // namespace idgen::sim::sequences
