// Making the table, finding places in it, and choosing who makes room.
#include "pg/sequences/segment_table.h"

#include "pg/sequences/sequence_store.h"

#include <cstring>

namespace idgen::pg {
namespace {

using core::PlainMemory;

int max_sequence_keys = 256;
SegmentTable* table = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

// So many places are looked at for the least recently used one.
constexpr int kLook = 1024;

uint32 BucketCount() {
  uint32 count = 16;
  while (count < static_cast<uint32>(max_sequence_keys)) count *= 2;
  return count;
}

Size TableSize() {
  Size size = add_size(PG_CACHE_LINE_SIZE, MAXALIGN(sizeof(SegmentTable)));
  size = add_size(size, mul_size(BucketCount(), sizeof(int32)) + PG_CACHE_LINE_SIZE);
  return add_size(size, mul_size(static_cast<Size>(max_sequence_keys), sizeof(SegmentPlace)));
}

void RequestHook() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(TableSize());
  RequestNamedLWLockTranche("idgen_segments", 1);
}

template <class T>
T* Carve(char*& at, Size count) {
  at = reinterpret_cast<char*>(TYPEALIGN(PG_CACHE_LINE_SIZE, at));
  auto* made = reinterpret_cast<T*>(at);
  at += count * sizeof(T);
  return made;
}

void StartupHook() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  auto* memory = static_cast<char*>(ShmemInitStruct("idgen segments", TableSize(), &found));
  char* at = memory;
  table = Carve<SegmentTable>(at, 1);
  if (!found) {
    memset(memory, 0, TableSize());
    table->lock = &GetNamedLWLockTranche("idgen_segments")->lock;
    table->place_count = max_sequence_keys;
    table->bucket_mask = BucketCount() - 1;
    table->buckets = Carve<int32>(at, BucketCount());
    table->places = Carve<SegmentPlace>(at, static_cast<Size>(max_sequence_keys));
    table->turn.store(1);
    for (uint32 i = 0; i <= table->bucket_mask; ++i) table->buckets[i] = -1;
    for (int i = 0; i < table->place_count; ++i) ConditionVariableInit(&table->places[i].fetched);
  }
  LWLockRelease(AddinShmemInitLock);
}

void Unlink(SegmentPlace& place) {
  int32* link = &table->buckets[place.hash & table->bucket_mask];
  const auto index = static_cast<int32>(&place - table->places);
  while (*link != index) link = &table->places[*link].next;
  *link = place.next;
}

// nullptr where every place that was looked at is being fetched for.
SegmentPlace* LeastRecentlyUsed() {
  SegmentPlace* oldest = nullptr;
  uint64 oldest_turn = 0;
  for (int looked = 0; looked < Min(table->place_count, kLook); ++looked) {
    SegmentPlace& place = table->places[table->hand];
    table->hand = (table->hand + 1) % table->place_count;
    const uint64 turn = place.used.load(std::memory_order_relaxed);
    if (place.fetcher != 0 || (oldest != nullptr && turn >= oldest_turn)) continue;
    oldest = &place;
    oldest_turn = turn;
  }
  return oldest;
}

}  // namespace

SegmentName NameOfSegments(const Sequencer& sequencer, const sequencer::StoreKey& key) {
  const std::string_view bytes = key.value();
  return {.sequencer = &sequencer,
          .key = key,
          .store = StoreIdentity(),
          .hash = hash_bytes_extended(reinterpret_cast<const unsigned char*>(bytes.data()),
                                      static_cast<int>(bytes.size()), 0)};
}

void DefineSegmentSettings() {
  // As idgen.max_generators: it can't be made later.
  if (!process_shared_preload_libraries_in_progress) return;
  DefineCustomIntVariable("idgen.max_sequence_keys",
                          "Sets the maximum number of keys for which the server holds segments of values.",
                          "For sequencers with a cache. The least recently used key makes room for a new one.",
                          &max_sequence_keys, 256, 16, 65536, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

void RequestSegmentMemory() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestHook;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = StartupHook;
}

SegmentTable* Segments() noexcept { return table; }

SegmentPlace* FindPlace(SegmentTable& table, const SegmentName& name) {
  for (int32 i = table.buckets[name.hash & table.bucket_mask]; i >= 0; i = table.places[i].next) {
    SegmentPlace& place = table.places[i];
    if (place.hash == name.hash && place.store == name.store && place.store_key().value() == name.key.value() &&
        place.definition == name.sequencer->definition)
      return &place;
  }
  return nullptr;
}

void ClosePlace(SegmentPlace& place, ReturnedRest* rest) {
  const int64 step = place.definition.step;
  sequencer::Rest left = sequencer::Close<PlainMemory>(place.segments, step, place.follows);
  // Below 0 nothing may stand in the store: where even the first value is left, that one is not given back.
  if (left.count > 0 && left.end - left.Amount(step) < 0) --left.count;
  rest->operation = {.kind = sequencer::Operation::Kind::kReturn,
                     .definition = place.definition,
                     .count = left.count,
                     .value = left.end,
                     .number = place.numbers[left.serial & 1],
                     .mark = {.generation = place.generations[left.serial & 1]}};
  rest->store = place.store;
  rest->key_size = place.key_size;
  memcpy(rest->key, place.key, static_cast<Size>(place.key_size));
}

SegmentPlace* MakePlace(SegmentTable& table, const SegmentName& name, ReturnedRest* rest) {
  SegmentPlace* place;
  rest->operation.count = 0;
  if (table.used_count < table.place_count) {
    place = &table.places[table.used_count++];
  } else {
    place = LeastRecentlyUsed();
    if (place == nullptr) return nullptr;
    ClosePlace(*place, rest);
    Unlink(*place);
  }
  sequencer::MoveIn<PlainMemory>(place->segments);
  const uint64 turn = table.turn.load() + 1;
  table.turn.store(turn);
  place->used.store(turn);
  place->waits.store(0);
  place->hash = name.hash;
  place->store = name.store;
  place->definition = name.sequencer->definition;
  place->fetcher = 0;
  place->size = 0;
  place->fetched_at_us = 0;
  place->fetches = 0;
  place->database = MyDatabaseId;
  strlcpy(place->sequencer, name.sequencer->name, sizeof place->sequencer);
  place->prefix_size = static_cast<int>(strlen(name.sequencer->prefix));
  place->key_size = static_cast<int>(name.key.size);
  memcpy(place->key, name.key.bytes, name.key.size);
  int32& bucket = table.buckets[name.hash & table.bucket_mask];
  place->next = bucket;
  bucket = static_cast<int32>(place - table.places);
  return place;
}

void ForgetSegments(SegmentTable& table, const sequencer::StoreKey& key, uint64 store) {
  const std::string_view bytes = key.value();
  const uint64 hash =
      hash_bytes_extended(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), 0);
  for (int32 i = table.buckets[hash & table.bucket_mask]; i >= 0; i = table.places[i].next) {
    SegmentPlace& place = table.places[i];
    if (place.hash != hash || place.store != store || place.store_key().value() != bytes) continue;
    sequencer::Close<PlainMemory>(place.segments, place.definition.step, false);
    ++place.changes;
  }
}

}  // namespace idgen::pg
