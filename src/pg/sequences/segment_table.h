// Where a server keeps the segments that it took from the store: a table in shared memory, of one place per key.
#pragma once

#include "pg/base/pg.h"

#include "pg/sequences/sequencers.h"
#include "sequencer/operation.h"
#include "sequencer/segment.h"

namespace idgen::pg {

// A place. The first part is read and taken from without the lock; the rest belongs to who holds it.
struct SegmentPlace {
  sequencer::Segments segments;
  alignas(64) core::Word used;  // the table's turn when it was last used
  core::Word wanted;            // the worker has been asked for a segment, or knows that there is none
  core::Word waits;             // calls that had to wait for a segment
  core::Word mark;  // its values count when this write of marks is on disk; only grows, also from key to key

  uint64 hash;
  int32 next;  // in its bucket; -1: none
  uint64 store;
  sequencer::Definition definition;
  int fetcher;     // pid of who fetches; 0: nobody
  uint64 changes;  // by set and drop: a segment that was asked for before one is not put down
  int64 size;      // of the latest segment, as it was chosen; 0: none yet
  int64 fetched_at_us;
  int64 fetches;
  int64 generations[2];  // of the slots
  int64 numbers[2];      // likewise
  bool follows;          // the latest segment was taken next after the one before it
  ConditionVariable fetched;
  Oid database;
  char sequencer[NAMEDATALEN];
  int prefix_size;
  int key_size;
  char key[sequencer::kMaxStoreKeyBytes];

  sequencer::StoreKey store_key() const noexcept { return {key, static_cast<size_t>(key_size)}; }
};

struct SegmentTable {
  static constexpr uint32 kQueue = 1024;

  LWLock* lock;
  int place_count;
  int used_count;  // places that have ever been taken
  int hand;        // where the search for a place to give up goes on
  uint32 bucket_mask;
  core::Word turn;        // moves when a place is taken
  core::Word wants_sync;  // of marks
  Latch* latch;           // of the worker, while it runs
  int worker_pid;         // 0: none runs
  int64 started_at_us;    // when one was last asked for
  // Places whose next segment is wanted. Who finds it full does without.
  uint32 queue_head, queue_tail;
  int32 queue[kQueue];
  SegmentPlace* places;
  int32* buckets;
};

// How a key is called: all that tells its place from others.
struct SegmentName {
  const Sequencer* sequencer;
  sequencer::StoreKey key;
  uint64 store;
  uint64 hash;
};
SegmentName NameOfSegments(const Sequencer& sequencer, const sequencer::StoreKey& key);

// Values that nobody got when a key had to make room. count == 0: none.
struct ReturnedRest {
  sequencer::Operation operation;
  uint64 store;
  char key[sequencer::kMaxStoreKeyBytes];
  int key_size;

  sequencer::StoreKey store_key() const noexcept { return {key, static_cast<size_t>(key_size)}; }
};

void DefineSegmentSettings();

// For _PG_init, in the postmaster.
void RequestSegmentMemory();

// nullptr where the library is not in shared_preload_libraries.
SegmentTable* Segments() noexcept;

// What follows is for who holds the lock.

// nullptr where the key has no place.
SegmentPlace* FindPlace(SegmentTable& table, const SegmentName& name);

// Gives it one: it had none. The least recently used key makes room, with `rest` to be given back. nullptr where all
// places are being fetched for.
SegmentPlace* MakePlace(SegmentTable& table, const SegmentName& name, ReturnedRest* rest);

// Gives up what there is, as `rest`.
void ClosePlace(SegmentPlace& place, ReturnedRest* rest);

// Gives up what this server has of a key, whatever sequencer it came by.
void ForgetSegments(SegmentTable& table, const sequencer::StoreKey& key, uint64 store);

}  // namespace idgen::pg
