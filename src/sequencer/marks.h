// How far sequences have come, as this server knows: what a store that has forgotten can't answer below.
//
// A table of fixed size in memory that is given. A key is known by 128 bits of a hash; two that had the same would only
// make one skip values. A key that finds no room takes the place of the one of its bucket that was used longest ago.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace idgen::sequencer {

struct KeyHash {
  uint64_t high = 0;
  uint64_t low = 0;

  constexpr bool operator==(const KeyHash&) const noexcept = default;
};

KeyHash HashOf(std::string_view key) noexcept;

// The last value that was given, or set, under a generation; kNoValue where none was, as after a drop.
inline constexpr int64_t kNoValue = -1;

struct Mark {
  int64_t generation = 0;
  int64_t value = kNoValue;
};

class Marks {
 public:
  // The bytes for about so many marks.
  static size_t Bytes(size_t marks) noexcept;
  // Over `bytes` of memory that was all zeros once, and was changed by nothing else since.
  Marks(void* memory, size_t bytes) noexcept;

  // Moves with every use.
  uint64_t uses() const noexcept { return header_->uses; }

  bool Find(const KeyHash& key, Mark* mark) noexcept;
  // Of a later generation the mark is taken as it is, of the same one the higher value, of an earlier one nothing.
  void Note(const KeyHash& key, const Mark& mark) noexcept;
  // Values down to `value` were given to nobody, and go back: the mark goes back with them, where `noted` is still it.
  void TakeBack(const KeyHash& key, const Mark& noted, int64_t value) noexcept;

 private:
  struct Entry {
    KeyHash key;
    uint64_t used;  // 0: free
    Mark mark;
  };
  static constexpr size_t kWays = 8;
  struct Header {
    uint64_t uses;
  };

  Entry* FindEntry(const KeyHash& key) noexcept;
  Entry* BucketOf(const KeyHash& key) noexcept { return entries_ + key.low % buckets_ * kWays; }

  Header* header_;
  Entry* entries_;
  size_t buckets_;
};

// Whether values are such that a lower one than before means that the store has forgotten: not where they begin again,
// nor where keys end by themselves.
struct Definition;
bool HasMarks(const Definition& definition) noexcept;

}  // namespace idgen::sequencer
