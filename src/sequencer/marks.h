// How far sequences have come, as this server knows: what a store that has forgotten can't answer below.
//
// A table of fixed size in memory that is given, and a file of records beside it, one for each slot. What a key has
// come to is known exactly in memory; its record is ahead of that by a number of values, as PostgreSQL's sequences are
// in the log, so that it is written once in so many. After a crash the records are what is left: between a record's
// `value` and its `ahead`, what was given is not known.
//
// A key is known by 128 bits of a hash under a secret of the server. Two that had the same would share a mark, so that
// whoever sets one of them would set the other: nobody may be able to choose such keys.
//
// A key that is new and finds no room in its bucket takes the slot of one that was used once only, so that however
// many such keys do not cost a key that is used its mark. A key that is used again is protected; where too many of a
// bucket are, one of them is no longer. Both choices fall on whoever has most of them in the bucket (an owner: a role
// in the databases of one owner), and on the one of his that was used longest ago: nobody can take more than his share
// from others.
//
// Nothing is written here: records that are to be written stand in a queue, from which the host takes them.
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

// The last value that was given, or set, under a generation; kNoValue where none was, as after a drop.
inline constexpr int64_t kNoValue = -1;

struct Mark {
  int64_t generation = 0;
  int64_t value = kNoValue;
};

// So many values a record is ahead, and twice as many as before where that lasted less than kShortStepUs, up to the
// most.
inline constexpr int64_t kLeastAhead = 32;
inline constexpr int64_t kMostAhead = 1 << 20;
inline constexpr int64_t kShortStepUs = 1000 * 1000;

// As the file has it. Within one sector of any disk, so that it is there as it was before or as it is now.
struct MarkRecord {
  KeyHash key;
  int64_t generation = 0;
  int64_t value = kNoValue;
  int64_t ahead = kNoValue;
  uint64_t writer = 0;  // of the store that gave `value`: another one may have forgotten. 0: not known
  uint64_t used = 0;    // grows from one use to the next, with kUsedAgain; 0: there is no mark
  uint64_t sum = 0;

  static constexpr uint64_t kUsedAgain = uint64_t{1} << 63;  // it is protected

  uint64_t Sum() const noexcept;
  bool IsWhole() const noexcept { return used != 0 && sum == Sum(); }
};
static_assert(sizeof(MarkRecord) == 64);

// What is known of a key.
struct Known {
  KeyHash hash;
  bool found = false;
  Mark mark;                 // so far it has come at the least
  int64_t ahead = kNoValue;  // and so far at the most; above mark.value only after a crash
  uint64_t writer = 0;
  uint64_t losses = 0;  // how often the store was found to have forgotten
  size_t slot = 0;     // where the mark stood
};

class Marks {
 public:
  // The bytes for about so many marks, and how many those are.
  static size_t Bytes(size_t marks) noexcept;
  static size_t Slots(size_t marks) noexcept;
  // Over memory for so many marks that was all zeros once, and was changed by nothing else since.
  Marks(void* memory, size_t marks) noexcept;

  size_t slots() const noexcept { return buckets_ * kWays; }
  // As it is to be written. Where `at_end`, nothing is given any more: the record is not ahead of what was.
  MarkRecord Record(size_t slot, bool at_end) const noexcept;
  // From the file of before, whatever size that had. One that is not whole is nothing.
  void Load(const MarkRecord& record) noexcept;

  // For a call that asks for values: a key that is found is one that is used again.
  Known Find(const KeyHash& key) noexcept;

  // What the store gave in one step.
  struct Given {
    Mark mark;          // its last value
    int64_t first = 0;  // and its first; of a set and a drop it does not matter
    uint64_t writer = 0;
    uint64_t losses = 0;     // as they were known before the store was asked
    bool is_raised = false;  // it had forgotten, and was raised above what was known
    uint64_t owner = 0;      // who asked; 0: nobody in particular. A mark belongs to whoever brought it
  };
  struct Noted {
    // Nothing was noted: values that are not above what was noted last are of before the store forgot, or of after it,
    // and so may have been given to somebody else; or of one of two stores that both take themselves for the master.
    bool is_doubtful = false;
    bool is_written_ahead = false;  // nothing was to be written
    size_t slot = 0;
    uint64_t write = 0;  // the number of the write that covers the mark: it counts when that one is on disk
  };
  // Of a later generation the mark is taken as it is, of the same one the higher value, of an earlier one nothing.
  Noted Note(const KeyHash& key, const Given& given, const Definition& definition, int64_t now_us) noexcept;
  // The same where there is nothing to write, and nothing to doubt; else false, and nothing has changed. `write` as
  // Noted has it.
  bool NoteSimply(const Known& known, const Given& given, uint64_t* write) noexcept;
  // Values down to `value` were given to nobody, and go back: the mark goes back with them, where `noted` is still it.
  Noted TakeBack(const KeyHash& key, const Mark& noted, int64_t value) noexcept;

  // Takes a slot out of the queue of those whose records are to be written. False where there is none.
  bool TakeUnwritten(size_t* slot) noexcept;
  // It could not be written: it is queued again.
  void NoteUnwritten(size_t slot) noexcept { Queue(slot); }

  // The number of the latest write: when the queue has been found empty, and what was taken out of it has been written,
  // all up to this one have been.
  uint64_t writes() const noexcept { return header_->writes; }

 private:
  struct Entry {
    MarkRecord record;     // as it was written last
    int64_t value;         // exact, unless is_unsure
    int64_t others_value;  // what was given before the writer took over
    uint64_t writer;       // who gave something last; 0: not known
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
  static constexpr size_t kMostProtected = 6;
  struct Header {
    uint64_t uses;
    uint64_t writes;
    uint32_t first_unwritten;  // a slot and one; 0: none
    uint32_t last_unwritten;
  };
  static constexpr uint32_t kLast = UINT32_MAX;

  Entry* FindEntry(const KeyHash& key) noexcept;
  Entry* BucketOf(const KeyHash& key) const noexcept { return entries_ + key.low % buckets_ * kWays; }
  Entry* EvictFor(const KeyHash& key, uint64_t owner) noexcept;
  static Entry* LeastOf(Entry* bucket, bool are_protected, uint64_t newcomer) noexcept;
  void Protect(Entry* entry) noexcept;
  void KeepToShare(Entry* bucket) noexcept;
  void Queue(size_t slot) noexcept;
  size_t SlotOf(const Entry* entry) const noexcept { return static_cast<size_t>(entry - entries_); }
  Noted Write(Entry* entry) noexcept;
  Noted Covered(const Entry* entry) const noexcept;

  Header* header_;
  Entry* entries_;
  uint32_t* next_unwritten_;  // by slot: the next one of the queue and one, or kLast; 0: it isn't queued
  size_t buckets_;
};

// Whether values are such that a lower one than before means that the store has forgotten: not where they begin again,
// nor where keys end by themselves.
bool HasMarks(const Definition& definition) noexcept;

}  // namespace idgen::sequencer
