// High-water marks: the highest value of each key that this server knows to have been given. A store that has lost data
// is detected by values at or below them.
//
// A table of fixed size in memory that the host provides, and a file with a record for each slot of the table. In
// memory a mark is exact. Its record is a number of values ahead, as PostgreSQL's sequences are in the WAL, so that it
// is written once for many values. After a crash only the records are left: between a record's `value` and its `ahead`,
// nobody knows what was given.
//
// A key is found by a 128-bit hash under a secret of the server. Two keys with the same hash would share a mark, so
// that setting one would set the other: nobody must be able to choose such keys.
//
// A new key that finds no free slot in its bucket evicts a key that was used only once, so that any number of such keys
// cost no key in use its mark. A key that is used again is protected; if too many of a bucket are, one of them loses
// the protection. Both choices fall on the owner (a role, in the databases of one owner) with the most keys of the
// bucket, and among these on the one that was not used for the longest time: nobody can take more than a share from
// others.
//
// Nothing is written here: records that have to be written are in a queue, from which keep_marks.h takes them. The
// caller of every member function holds the host's lock of the marks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/siphash.h"
#include "sequencer/definition.h"

namespace idgen::sequencer {

struct KeyHash {
  uint64_t high = 0;
  uint64_t low = 0;

  constexpr bool operator==(const KeyHash&) const noexcept = default;
};

KeyHash HashOf(std::string_view key, const core::SipKey& secret = {}) noexcept;

// The last value that was given, or set, under a generation; kNoValue if there is none, as after a drop.
inline constexpr int64_t kNoValue = -1;

struct Mark {
  int64_t generation = 0;
  int64_t value = kNoValue;
};

// How many values a record is ahead: twice as many as the previous one if that lasted less than kShortStepUs, at most
// kMaxAhead.
inline constexpr int64_t kMinAhead = 32;
inline constexpr int64_t kMaxAhead = 1 << 20;
inline constexpr int64_t kShortStepUs = 1000 * 1000;

// A mark in the file. It lies within one disk sector, so that a crash leaves the previous or the new one.
struct MarkRecord {
  KeyHash key;
  int64_t generation = 0;
  int64_t value = kNoValue;
  int64_t ahead = kNoValue;
  uint64_t writer = 0;  // the store's process that gave `value`: another one may have lost it. 0: unknown
  uint64_t used = 0;    // grows with every use; with kUsedAgain; 0: there is no mark
  uint64_t sum = 0;

  static constexpr uint64_t kUsedAgain = uint64_t{1} << 63;  // it is protected

  uint64_t Sum() const noexcept;
  bool IsWhole() const noexcept { return used != 0 && sum == Sum(); }
};
static_assert(sizeof(MarkRecord) == 64);

// What is known of a key when the store is asked.
struct Known {
  KeyHash hash;
  bool found = false;
  Mark mark;                 // given at least up to here
  int64_t ahead = kNoValue;  // and at most up to here; above mark.value only after a crash
  uint64_t writer = 0;
  uint64_t losses = 0;  // how often the store was found to have lost values
  size_t slot = 0;      // of the mark
};

class Marks {
 public:
  // The bytes for at least so many marks, and how many slots these have.
  static size_t Bytes(size_t marks) noexcept;
  static size_t Slots(size_t marks) noexcept;
  // Over memory for so many marks that was all zeros at first, and was changed by this class only.
  Marks(void* memory, size_t marks) noexcept;

  size_t slots() const noexcept { return buckets_ * kWays; }
  // The record to write. `at_end`: no more values will be given, so it is exact and not ahead.
  MarkRecord Record(size_t slot, bool at_end) const noexcept;
  // A record from the previous file, which may have had another size. Ignores a damaged one.
  void Load(const MarkRecord& record) noexcept;

  // For a call that asks for values: a key that is found is used again, and so protected.
  Known Find(const KeyHash& key) noexcept;

  // What the store gave in one operation.
  struct Given {
    Mark mark;          // the last value
    int64_t first = 0;  // the first value; ignored after a set or drop
    uint64_t writer = 0;
    uint64_t losses = 0;     // as known before the store was asked
    bool is_raised = false;  // the store had lost values, and was raised above what was known
    uint64_t owner = 0;      // who asked; 0: nobody in particular. A new mark belongs to them
  };
  struct Noted {
    // Nothing was noted: the values are not above what was noted last, and so somebody else may have been given them,
    // before or after the store lost them, or by another store that acts as master.
    bool is_doubtful = false;
    bool is_written_ahead = false;  // the record covers it already
    size_t slot = 0;
    uint64_t write = 0;  // the write that covers the mark: the values count when it is on disk
  };
  // A mark of a later generation replaces the present one, of the same generation the higher value stays, one of an
  // earlier generation is ignored.
  Noted Note(const KeyHash& key, const Given& given, const Definition& definition, int64_t now_us) noexcept;
  // The same if nothing has to be written or doubted; otherwise false, and nothing has changed. `write` as in Noted.
  bool NoteSimply(const Known& known, const Given& given, uint64_t* write) noexcept;
  // Values down to `value` were given to nobody, and are returned to the store: lowers the mark if it is still `noted`.
  Noted Lower(const KeyHash& key, const Mark& noted, int64_t value) noexcept;

  // Removes a slot from the queue of those whose records have to be written. False if the queue is empty.
  bool NextUnwritten(size_t* slot) noexcept;
  // Its record could not be written: queues it again.
  void NoteUnwritten(size_t slot) noexcept { Queue(slot); }

  // The number of the latest write. When the queue is empty, and the records taken out of it have been written, all
  // writes up to this one are done.
  uint64_t writes() const noexcept { return header_->writes; }

 private:
  struct Entry {
    MarkRecord record;     // as it was queued last
    int64_t value;         // exact, unless is_unsure
    int64_t others_value;  // the highest value of previous writers
    uint64_t writer;       // gave the latest values; 0: unknown
    uint64_t losses;
    uint64_t owner;
    uint64_t used;  // 0: free
    uint64_t write;
    int64_t written_us;
    int64_t step;  // in values
    bool is_unsure;
    bool is_protected;
  };
  static constexpr size_t kWays = 8;
  static constexpr size_t kMaxProtected = 6;
  static_assert(kMaxProtected < kWays, "a new key finds a victim");
  struct Header {
    uint64_t uses;
    uint64_t writes;
    uint32_t first_unwritten;  // a slot plus one; 0: none
    uint32_t last_unwritten;
  };
  static constexpr uint32_t kLast = UINT32_MAX;

  Entry* FindEntry(const KeyHash& key) noexcept;
  Entry* BucketOf(const KeyHash& key) const noexcept { return entries_ + key.low % buckets_ * kWays; }
  Entry* SlotFor(const KeyHash& key, uint64_t owner) noexcept;
  static Entry* LeastOf(Entry* bucket, bool are_protected, uint64_t newcomer) noexcept;
  void Protect(Entry* entry) noexcept;
  void KeepToShare(Entry* bucket) noexcept;
  void Queue(size_t slot) noexcept;
  size_t SlotOf(const Entry* entry) const noexcept { return static_cast<size_t>(entry - entries_); }
  Noted Write(Entry* entry) noexcept;
  Noted Covered(const Entry* entry) const noexcept;

  Header* header_;
  Entry* entries_;
  uint32_t* next_unwritten_;  // by slot: the next slot of the queue plus one, or kLast; 0: it is not queued
  size_t buckets_;
};

// Whether a value below an earlier one means that the store has lost data: not if values cycle or keys expire.
bool HasMarks(const Definition& definition) noexcept;

}  // namespace idgen::sequencer
