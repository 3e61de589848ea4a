// Looking up and replacing marks.
#include "sequencer/marks.h"

#include <algorithm>

#include "sequencer/definition.h"

namespace idgen::sequencer {
namespace {

// The finalizer of SplitMix64: every bit of the result depends on every bit of the argument.
constexpr uint64_t Mix(uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// FNV-1a.
constexpr uint64_t Hash(std::string_view bytes, uint64_t hash) noexcept {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return Mix(hash);
}

}  // namespace

KeyHash HashOf(std::string_view key) noexcept {
  return {.high = Hash(key, 0x9AE16A3B2F90404F), .low = Hash(key, 0xCBF29CE484222325)};
}

bool HasMarks(const Definition& definition) noexcept { return !definition.cycle && definition.ttl_ms == 0; }

size_t Marks::Bytes(size_t marks) noexcept {
  return sizeof(Header) + (marks + kWays - 1) / kWays * kWays * sizeof(Entry);
}

Marks::Marks(void* memory, size_t bytes) noexcept
    : header_(static_cast<Header*>(memory)),
      entries_(reinterpret_cast<Entry*>(header_ + 1)),
      buckets_((bytes - sizeof(Header)) / sizeof(Entry) / kWays) {}

Marks::Entry* Marks::FindEntry(const KeyHash& key) noexcept {
  Entry* bucket = BucketOf(key);
  for (size_t way = 0; way < kWays; ++way)
    if (bucket[way].used != 0 && bucket[way].key == key) return &bucket[way];
  return nullptr;
}

bool Marks::Find(const KeyHash& key, Mark* mark) noexcept {
  Entry* entry = FindEntry(key);
  if (entry == nullptr) return false;
  entry->used = ++header_->uses;
  *mark = entry->mark;
  return true;
}

void Marks::Note(const KeyHash& key, const Mark& mark) noexcept {
  Entry* entry = FindEntry(key);
  if (entry == nullptr) {
    Entry* bucket = BucketOf(key);
    entry = std::min_element(bucket, bucket + kWays, [](const Entry& a, const Entry& b) { return a.used < b.used; });
    *entry = {.key = key, .used = 0, .mark = mark};
  } else if (mark.generation > entry->mark.generation) {
    entry->mark = mark;
  } else if (mark.generation == entry->mark.generation) {
    entry->mark.value = std::max(entry->mark.value, mark.value);
  }
  entry->used = ++header_->uses;
}

void Marks::TakeBack(const KeyHash& key, const Mark& noted, int64_t value) noexcept {
  Entry* entry = FindEntry(key);
  if (entry == nullptr || entry->mark.generation != noted.generation || entry->mark.value != noted.value) return;
  entry->mark.value = value;
  ++header_->uses;
}

}  // namespace idgen::sequencer
