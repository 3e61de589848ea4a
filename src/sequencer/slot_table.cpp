// Layout of the slot table, its buckets and its queue, and the choice of the slot that is given to another key.
#include "sequencer/slot_table.h"

#include <new>

#include "core/check.h"

namespace idgen::sequencer {
namespace {

constexpr size_t kLine = 64;
constexpr int32_t kMaxLook = 1024;  // slots that are looked at for the least recently used one

constexpr size_t RoundUp(size_t bytes) noexcept { return (bytes + kLine - 1) / kLine * kLine; }

uint32_t BucketCount(int32_t capacity) noexcept {
  uint32_t count = 16;
  while (count < static_cast<uint32_t>(capacity)) count *= 2;
  return count;
}

// Where an array begins, in bytes; moves the end of what is in use behind it.
template <class T>
uint32_t Carve(uint32_t* end, size_t count) noexcept {
  const uint32_t begin = *end;
  *end += static_cast<uint32_t>(RoundUp(count * sizeof(T)));
  return begin;
}

void CopyText(const char* text, char (&copy)[kSequencerNameBytes]) noexcept {
  const size_t size = strnlen(text, kSequencerNameBytes - 1);
  memcpy(copy, text, size);
  copy[size] = '\0';
}

}  // namespace

size_t SlotTable::Bytes(int32_t capacity, uint32_t queue_capacity) noexcept {
  return RoundUp(sizeof(SlotTable)) + RoundUp(queue_capacity * sizeof(int32_t)) +
         RoundUp(BucketCount(capacity) * sizeof(int32_t)) + RoundUp(static_cast<size_t>(capacity) * sizeof(Slot));
}

SlotTable* SlotTable::Make(void* memory, int32_t capacity, uint32_t queue_capacity) noexcept {
  IDGEN_CHECK(reinterpret_cast<uintptr_t>(memory) % kLine == 0 && capacity > 0 && queue_capacity > 0);
  auto* table = static_cast<SlotTable*>(memory);
  uint32_t end = 0;
  Carve<SlotTable>(&end, 1);
  table->capacity_ = capacity;
  table->bucket_mask_ = BucketCount(capacity) - 1;
  table->turn_.store(1);
  table->queue_capacity_ = queue_capacity;
  table->queue_at_ = Carve<int32_t>(&end, queue_capacity);
  table->buckets_at_ = Carve<int32_t>(&end, BucketCount(capacity));
  table->slots_at_ = Carve<Slot>(&end, static_cast<size_t>(capacity));
  for (uint32_t i = 0; i <= table->bucket_mask_; ++i) table->buckets()[i] = -1;
  return table;
}

Slot* SlotTable::Find(const SlotName& name) noexcept {
  for (int32_t i = buckets()[name.hash & bucket_mask_]; i >= 0; i = slots()[i].next) {
    Slot& slot = slots()[i];
    if (slot.hash == name.hash && slot.store == name.store && slot.store_key().value() == name.key.value() &&
        slot.definition == *name.definition)
      return &slot;
  }
  return nullptr;
}

Slot* SlotTable::LeastRecentlyUsed() noexcept {
  Slot* oldest = nullptr;
  uint64_t oldest_turn = 0;
  for (int32_t looked = 0; looked < std::min(capacity_, kMaxLook); ++looked) {
    Slot& slot = slots()[hand_];
    hand_ = (hand_ + 1) % capacity_;
    const uint64_t turn = slot.used.load(std::memory_order_relaxed);
    if (slot.fetcher != 0 || (oldest != nullptr && turn >= oldest_turn)) continue;
    oldest = &slot;
    oldest_turn = turn;
  }
  return oldest;
}

void SlotTable::Link(Slot& slot) noexcept {
  int32_t& bucket = buckets()[slot.hash & bucket_mask_];
  slot.next = bucket;
  bucket = IndexOf(slot);
}

void SlotTable::Unlink(const Slot& slot) noexcept {
  int32_t* link = &buckets()[slot.hash & bucket_mask_];
  while (*link != IndexOf(slot)) {
    IDGEN_CHECK(*link >= 0);
    link = &slots()[*link].next;
  }
  *link = slot.next;
}

void SlotTable::Name(Slot& slot, const SlotName& name) noexcept {
  const uint64_t turn = turn_.load() + 1;
  turn_.store(turn);
  slot.used.store(turn);
  slot.waits.store(0);
  slot.hash = name.hash;
  slot.store = name.store;
  slot.definition = *name.definition;
  slot.fetcher = 0;
  slot.size = 0;
  slot.fetched_at_us = 0;
  slot.fetches = 0;
  slot.database = name.database;
  CopyText(name.sequencer, slot.sequencer);
  slot.prefix_bytes = static_cast<uint32_t>(strlen(name.prefix));
  slot.key_bytes = static_cast<uint32_t>(name.key.size);
  memcpy(slot.key, name.key.bytes, name.key.size);
}

bool SlotTable::Enqueue(const Slot& slot) noexcept {
  if (queue_tail_ - queue_head_ >= queue_capacity_) return false;
  queue()[queue_tail_++ % queue_capacity_] = IndexOf(slot);
  return true;
}

Slot* SlotTable::Dequeue() noexcept {
  return queue_head_ == queue_tail_ ? nullptr : &slots()[queue()[queue_head_++ % queue_capacity_]];
}

}  // namespace idgen::sequencer
