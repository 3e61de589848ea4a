// A simulated server: backends and the process that fetches ahead, the shared memory that a crash takes away, the file
// of marks, and what of it is on disk. Segments, marks and the rule above them are the code that ships.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/memory.h"
#include "sequencer/above_marks.h"
#include "sequencer/segment.h"
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
  uint64_t answered = 0;   // the one that the latest answer came over
  uint64_t writer_of = 0;  // the connection whose store is `writer`
  uint64_t writer = 0;
};

struct Place {
  sequencer::Segments segments = {};
  core::Word used = 0;
  core::Word wanted = 0;
  core::Word mark = 0;
  int key = -1;
  int fetcher = -1;  // actor
  uint64_t changes = 0;
  int64_t size = 0;
  int64_t fetched_at_us = 0;
  int64_t generations[2] = {};
  int64_t numbers[2] = {};
  bool follows = false;
  std::vector<size_t> grants;  // by serial, all that ever were
};

struct Lock {
  bool is_held = false;
};

// Values that nobody got, to be given back. Of a `count` of 0: none.
struct Leftover {
  sequencer::Operation operation;
  int key = -1;
  uint64_t ran = 0;  // when the store gave them
};

// Values that follow each other, of one grant.
struct Given {
  size_t grant;
  int64_t first;
  int64_t count;
  uint64_t order;  // 0: of no segment
};

// What a backend or the fetching process is.
struct Actor {
  Server* server = nullptr;
  int index = 0;   // in the world
  int number = 0;  // in the server; the last one fetches ahead
  Random random{0};
  Fiber* fiber = nullptr;  // nullptr: it doesn't live
  uint64_t token = 0;      // of what it waits for
  bool is_cancelled = false;
  Place* waits_for = nullptr;
  Connection connection;
  Place* own_fetch = nullptr;
  // Where it took from last.
  Place* latest = nullptr;
  uint64_t latest_tenure = 0;
  int latest_key = -1;
  uint64_t awaited = 0;
  uint64_t swap_serial = 0, swap_event = 0;  // of the latest take
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

 private:
  friend class World;
  friend class MarksHost;
  friend struct SimMemory;

  // Lost in a crash.
  struct Memory {
    Memory(int places, size_t marks)
        : table(static_cast<size_t>(places)), mark_bytes(sequencer::Marks::Bytes(marks) / 8 + 1) {}
    std::vector<Place> table;
    std::vector<uint64_t> mark_bytes;
    Lock table_lock, marks_lock;
    Lock keeper;  // of who writes records and syncs
    uint64_t turn = 1;
    size_t used_places = 0;
    size_t hand = 0;
    std::deque<Place*> queue;
    uint64_t written = 0, synced = 0;
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
  sequencer::StoreKey KeyOf(int key) const noexcept { return {key_names_[key], key_size_}; }
  static int NumberOf(const sequencer::StoreKey& key) noexcept;
  int NumberOf(const sequencer::KeyHash& hash) const noexcept;
  // The same in every run, unlike in a real server, whose secret is its own: seeds rest on it.
  static sequencer::KeyHash HashOf(const sequencer::StoreKey& key) noexcept;

  // Marks.
  sequencer::Marks Marks() noexcept { return {memory_->mark_bytes.data(), kMarks}; }
  void Keep(Actor& actor, const uint64_t& done, uint64_t write, bool on_disk);
  void WriteOut(Actor& actor);
  void SyncOut(Actor& actor);
  void SaveWhole(bool at_end);
  static constexpr size_t kMarks = 8;

  // Segments: the flow of src/pg/sequences/segments.cpp.
  sequencer::Answer TakeValues(Actor& actor, int key, int64_t count);
  bool TakeAtOnce(Actor& actor, int key);
  void AddPiece(Actor& actor, const Place& place, const sequencer::Piece& piece);
  bool FindCurrentPlace(Actor& actor, int key, int64_t until_us, Place** place, uint64_t* tenure);
  Place* FindPlace(int key);
  Place* MakePlace(int key, Leftover* rest);
  void ClosePlace(Place& place, Leftover* rest);
  void ForgetSegments(Actor& actor, int key);
  bool BeginFetch(Actor& actor, Place& place);
  sequencer::Answer Fetch(Actor& actor, Place& place, int64_t need, bool ahead, int64_t until_us);
  void EndFetch(Actor& actor, const sequencer::Answer* answer, size_t grant, uint64_t changes, int64_t size,
                int64_t began_us, uint64_t mark);
  void WaitForFetch(Actor& actor, Place& place, int64_t until_us);
  void WantSegment(Actor& actor, Place& place, uint64_t tenure);
  bool Serve(Actor& actor, Place& place);
  void GiveBack(Actor& actor, const Leftover& rest, int64_t until_us);
  void GiveAllBack(Actor& actor);

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
