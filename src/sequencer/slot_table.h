// The shared memory in which a server keeps the segments that it fetched from the store: a table with one slot per key,
// and the queue of the slots whose next segment is wanted.
//
// Values are taken from a slot without a lock (segment.h). Everything else here needs the lock of the table, which the
// host has.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include "sequencer/operation.h"
#include "sequencer/segment.h"

namespace idgen::sequencer {

// What distinguishes a slot from all others. Its memory belongs to the caller, for the time of a call.
struct SlotName {
  StoreKey key;
  uint64_t store = 0;  // the store, as the settings name it
  uint64_t hash = 0;   // of the key's name in the store
  const Definition* definition = nullptr;
  // For statistics only.
  const char* sequencer = "";
  const char* prefix = "";
  uint32_t database = 0;
};

inline constexpr size_t kSequencerNameBytes = 64;  // with a terminating zero

struct Slot {
  // Read and written without the lock.
  Segments segments;
  alignas(64) Word used;  // the table's turn when it was last used
  Word wanted;            // 1: its next segment has been requested, or cannot be
  Word waits;             // calls that had to wait for a segment
  Word mark;  // its values are safe to use once this write of marks is on disk; only grows, even from key to key

  // For the holder of the lock.
  uint64_t hash;
  int32_t next;  // slot in the same bucket; -1: none
  uint64_t store;
  Definition definition;
  uint64_t fetcher;  // the process that fetches a segment; 0: none
  uint64_t changes;  // number of sets and drops: a segment that was requested before one of them is not put
  int64_t size;      // chosen for the latest segment; 0: there was none
  int64_t fetched_at_us;
  int64_t fetches;
  int64_t generations[2];  // of the segments, by serial
  int64_t numbers[2];      // the same segments' numbers in the store
  bool follows;            // the store gave the latest segment right after the one before it
  uint32_t database;
  char sequencer[kSequencerNameBytes];
  uint32_t prefix_bytes;
  uint32_t key_bytes;
  char key[kMaxStoreKeyBytes];

  StoreKey store_key() const noexcept { return {key, key_bytes}; }
};

// Values that nobody took, to be given back to the store. count == 0: none.
struct ReturnedRemainder {
  Operation operation;
  uint64_t store = 0;
  uint64_t serial = 0;  // of the segment that it ends with
  uint32_t key_bytes = 0;
  char key[kMaxStoreKeyBytes];

  StoreKey store_key() const noexcept { return {key, key_bytes}; }
};

class SlotTable {
 public:
  static size_t Bytes(int32_t capacity, uint32_t queue_capacity) noexcept;
  // In memory of so many bytes, all zeros, that begins at a cache line.
  static SlotTable* Make(void* memory, int32_t capacity, uint32_t queue_capacity) noexcept;

  int32_t capacity() const noexcept { return capacity_; }
  int32_t used_count() const noexcept { return used_count_; }  // slots that have ever been used: the first ones
  Slot& slot(int32_t index) noexcept { return slots()[index]; }
  const Slot& slot(int32_t index) const noexcept { return slots()[index]; }
  int32_t IndexOf(const Slot& slot) const noexcept { return static_cast<int32_t>(&slot - slots()); }

  // nullptr if the key has no slot.
  Slot* Find(const SlotName& name) noexcept;

  // Makes a slot for a key that has none. If the table is full, the least recently used key gives up its slot, with
  // `remainder` to be given back. nullptr if every slot has a fetch in progress.
  template <class Memory>
  Slot* MakeSlot(const SlotName& name, ReturnedRemainder* remainder) noexcept;

  // Closes the segments of every slot of the key, whichever sequencer uses it, and lets no segment be put that was
  // requested before.
  template <class Memory>
  void Forget(const StoreKey& key, uint64_t store, uint64_t hash) noexcept;

  // Called after every take, without the lock. The turn grows only when a slot is made, so this rarely writes.
  void NoteUse(Slot& slot) const noexcept {
    const uint64_t turn = turn_.load(std::memory_order_relaxed);
    if (slot.used.load(std::memory_order_relaxed) != turn) slot.used.store(turn, std::memory_order_relaxed);
  }

  // False if the queue is full.
  bool Enqueue(const Slot& slot) noexcept;
  // nullptr if the queue is empty.
  Slot* Dequeue() noexcept;
  void ClearQueue() noexcept { queue_head_ = queue_tail_; }

 private:
  template <class T>
  T* At(uint32_t bytes) const noexcept {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(const_cast<SlotTable*>(this)) + bytes);
  }
  int32_t* queue() const noexcept { return At<int32_t>(queue_at_); }
  int32_t* buckets() const noexcept { return At<int32_t>(buckets_at_); }
  Slot* slots() const noexcept { return At<Slot>(slots_at_); }

  Slot* LeastRecentlyUsed() noexcept;
  Slot* NewSlot() noexcept { return used_count_ < capacity_ ? &slots()[used_count_++] : nullptr; }
  void Link(Slot& slot) noexcept;
  void Unlink(const Slot& slot) noexcept;
  void Name(Slot& slot, const SlotName& name) noexcept;

  int32_t capacity_;
  int32_t used_count_;
  int32_t hand_;  // where the search for a victim continues
  uint32_t bucket_mask_;
  Word turn_;
  uint32_t queue_capacity_, queue_head_, queue_tail_;
  // Bytes from here: processes may have the memory at different addresses.
  uint32_t queue_at_, buckets_at_, slots_at_;
};

// Closes the slot's segments.
template <class Memory>
void CloseSlot(Slot& slot, ReturnedRemainder* remainder) noexcept {
  const int64_t step = slot.definition.step;
  Remainder left = Close<Memory>(slot.segments, step, slot.follows);
  // The store holds no value below 0: if even the first value is left, that one is not given back.
  if (left.count > 0 && left.end - left.Amount(step) < 0) --left.count;
  remainder->operation = {.kind = Operation::Kind::kReturn,
                          .definition = slot.definition,
                          .count = left.count,
                          .value = left.end,
                          .number = slot.numbers[left.serial & 1],
                          .mark = {.generation = slot.generations[left.serial & 1]}};
  remainder->store = slot.store;
  remainder->serial = left.serial;
  remainder->key_bytes = slot.key_bytes;
  memcpy(remainder->key, slot.key, slot.key_bytes);
}

template <class Memory>
Slot* SlotTable::MakeSlot(const SlotName& name, ReturnedRemainder* remainder) noexcept {
  remainder->operation.count = 0;
  Slot* slot = NewSlot();
  if (slot == nullptr) {
    slot = LeastRecentlyUsed();
    if (slot == nullptr) return nullptr;
    CloseSlot<Memory>(*slot, remainder);
    Unlink(*slot);
  }
  MoveIn<Memory>(slot->segments);
  Name(*slot, name);
  Link(*slot);
  return slot;
}

template <class Memory>
void SlotTable::Forget(const StoreKey& key, uint64_t store, uint64_t hash) noexcept {
  for (int32_t i = buckets()[hash & bucket_mask_]; i >= 0; i = slots()[i].next) {
    Slot& slot = slots()[i];
    if (slot.hash != hash || slot.store != store || slot.store_key().value() != key.value()) continue;
    Close<Memory>(slot.segments, slot.definition.step, false);
    ++slot.changes;
  }
}

}  // namespace idgen::sequencer
