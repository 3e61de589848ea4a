// A simulated server: backends and the process that fetches ahead, the shared memory that a crash takes away, the file
// of marks, and what of it is on disk. What they do for values of sequences is the protocol that ships.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/memory.h"
#include "sequencer/protocol.h"
#include "sequences/world.h"

namespace idgen::sim::sequences {

// Words, reached with a chance of being left before each access.
struct SimMemory {
  static uint64_t Load(const core::Word& word, core::Step) noexcept;
  static void Store(core::Word& word, uint64_t value, core::Step) noexcept;
  static bool Swap(core::Word& word, uint64_t& expected, uint64_t desired, core::Step step) noexcept;

  static inline World* world = nullptr;
};

// What is raised: as ereport does it.
struct CallFailed {
  const char* why;
};

struct Connection {
  uint64_t number = 0;  // 0: none
  uint64_t process = 0;
  uint64_t answered = 0;  // the one that the latest answer came over
};

struct Lock {
  bool is_held = false;
};

// Values that follow each other, of one grant.
struct Given {
  size_t grant;
  int64_t first;
  int64_t count;
  uint64_t order;  // 0: of no segment
};

class EtcdSession;

// What a backend or the fetching process is.
struct Actor {
  Actor();
  ~Actor();

  Server* server = nullptr;
  int index = 0;   // in the world
  int number = 0;  // in the server; the last one fetches ahead
  Random random{0};
  Fiber* fiber = nullptr;  // nullptr: it doesn't live
  uint64_t token = 0;      // of what it waits for
  bool is_cancelled = false;
  const sequencer::Slot* waits_for = nullptr;
  Connection connection;
  std::unique_ptr<EtcdSession> etcd;  // instead of it
  sequencer::Session session;
  // Where it took from last.
  sequencer::Slot* latest = nullptr;
  uint64_t latest_tenure = 0;
  int latest_key = -1;
  uint64_t awaited = 0;
  uint64_t swap_serial = 0, swap_event = 0;  // of the latest take
  uint64_t change_ran = 0;                   // when the store carried out the latest set or drop; 0: not yet
  // What the call that is going on has got, and what its transaction was given: here, and not on a stack that a crash
  // leaves.
  std::vector<Given> given;
  std::vector<size_t> gifts;
};

class Server {
 public:
  Server(World& world, int index);

  void Start();
  void Crash(bool of_machine, int64_t down_us);
  void CleanStop(int64_t down_us);
  void Cancel(int backend);
  bool up() const noexcept { return memory_ != nullptr; }
  // At the end: whether everybody who lives gets a value of every key.
  bool is_content() const noexcept { return content_; }
  int crashes() const noexcept { return crashes_; }
  // Of two masters, the one of before.
  void ReachOld(bool does) noexcept { reaches_old_ = does; }
  static std::string NameOfKey(size_t key);

 private:
  friend class World;
  friend class SimHost;
  friend struct SimMemory;

  // Lost in a crash.
  struct Memory {
    Memory(int32_t slots, size_t marks);
    std::unique_ptr<void, decltype(&free)> slot_bytes;
    sequencer::SlotTable* table;
    std::vector<std::vector<size_t>> grants;  // by slot and serial, all that ever were
    std::vector<uint64_t> mark_bytes;
    Lock table_lock, marks_lock;
    sequencer::MarkProgress progress = {};
    uint64_t marked_keys = 0;  // a bit per key that has a mark
  };
  struct Record {
    std::vector<sequencer::MarkRecord> versions;  // the first is on disk, the last was written last
  };

  // The life of processes.
  void Spawn(Actor& actor);
  void Live(Actor& actor);
  void LiveAsBackend(Actor& actor);
  void LiveAsFetcher(Actor& actor);
  void End();
  void CheckCancel(Actor& actor);
  void Acquire(Actor& actor, Lock& lock);
  void Release(Lock& lock) { lock.is_held = false; }

  // Transactions.
  void Transact(Actor& actor);
  void CallSome(Actor& actor);
  // With `cache` 1 also of a key that has segments: by another sequencer of the same prefix.
  void CallExact(Actor& actor, const int* keys, int key_count, int64_t count);
  void CallSegments(Actor& actor, int key, int64_t count);
  void GiveAll(Actor& actor);
  void CheckOwnChange(const Grant& grant);
  void Change(Actor& actor, int key);
  void CheckAll(Actor& actor);

  // The store.
  void Connect(Actor& actor, int64_t until_us);
  void Ask(Actor& actor, const sequencer::Operation& operation, const sequencer::StoreKey* keys,
           sequencer::Answer* answers, Ran* ran, int count, int64_t until_us, const World::Known& knew);
  void AskEtcd(Actor& actor, const sequencer::Operation& operation, const sequencer::StoreKey* keys,
               sequencer::Answer* answers, Ran* ran, int count, int64_t until_us, const World::Known& knew);
  sequencer::StoreKey KeyOf(int key) const noexcept { return {key_names_[key], key_size_}; }
  static int NumberOf(const sequencer::StoreKey& key) noexcept;
  // The same in every run, unlike in a real server, whose secret is its own: seeds rest on it.
  static sequencer::KeyHash HashOf(const sequencer::StoreKey& key) noexcept;

  // Marks.
  sequencer::Marks Marks() noexcept { return {memory_->mark_bytes.data(), kMarks}; }
  void SyncFile(Actor& actor);
  // Tells the ledger whose marks were evicted by a change of the table.
  void NoteEvicted();
  void SaveWhole(bool at_end);
  static constexpr size_t kMarks = 8;

  sequencer::SlotName NameOf(int key) const noexcept;
  sequencer::Answer TakeValues(Actor& actor, int key, int64_t count);
  bool TryTakeFromLatestSlot(Actor& actor, int key);

  World& world_;
  const int index_;
  Random random_;
  std::unique_ptr<Memory> memory_;
  std::vector<Record> file_;
  std::vector<Actor*> actors_;
  int life_ = 0;
  int living_ = 0;
  int crashes_ = 0;
  bool stopping_ = false;
  bool reaches_old_ = false;
  int64_t sync_at_us_ = INT64_MAX;                 // of the file of marks, by the process that fetches ahead
  uint64_t synced_ = 0;                            // the event at which the latest sync that has ended began
  int64_t lost_until_us_ = 0, late_until_us_ = 0;  // replies of etcd, and calls to it
  int64_t down_us_ = 0;
  bool is_checking_ = false;
  bool content_ = false;
  int checked_ = 0;
  // By key: what is behind the marks, for what is checked.
  std::vector<World::Known> knows_;
  // And its own latest set or drop: when that ran, and when the call was done, after which nothing of before is given.
  struct OwnChange {
    uint64_t ran = 0;
    uint64_t done = 0;
    int64_t value = sequencer::kNoValue;  // that was set
    int64_t generation = 0;
    int life = 0;
  };
  std::vector<OwnChange> own_changes_;
  char key_names_[kMostKeys][8];
  size_t key_size_ = 0;
};

}  // namespace idgen::sim::sequences
