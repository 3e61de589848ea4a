// Segments of a key's values that a server took from the store, as shared memory holds them: the current one, handed
// out to all backends by one compare-and-swap each, and the next, which was fetched before the current one ran out.
//
// The cursor says which segment is current and how many of its values are gone. Serials of segments only grow, also
// when the place is given to another key, so a swap that succeeds proves that nothing it was worked out from has
// changed since the cursor was loaded: the place's tenure and what stands in the segment's slot are loaded after it,
// and are written only once no cursor that led to them can be swapped any more. Who writes holds the lock of the place.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/memory.h"

namespace idgen::sequencer {

using core::Step;
using core::Word;

// How many values a segment can have: their number must fit the cursor.
inline constexpr int64_t kMaxSegment = 1000000;

// A segment's serial and how many of its values are gone.
struct Cursor {
  static constexpr int kGoneBits = 20;
  static constexpr uint64_t kClosed = (uint64_t{1} << kGoneBits) - 1;  // in place of a number: there is no segment
  static_assert(kMaxSegment < static_cast<int64_t>(kClosed));

  static constexpr uint64_t Of(uint64_t serial, uint64_t gone) noexcept { return serial << kGoneBits | gone; }
  static constexpr uint64_t Serial(uint64_t word) noexcept { return word >> kGoneBits; }
  static constexpr uint64_t Gone(uint64_t word) noexcept { return word & kClosed; }
};

struct alignas(64) Segments {
  Word cursor;
  Word tenure;  // moves when the place is given to another key
  Word ready;   // serial of the segment that waits for its turn; that of the current one, or less, where none does
  struct Slot {
    Word first;
    Word count;
  };
  alignas(64) Slot slots[2];  // by serial, odd and even
};
static_assert(sizeof(Segments) == 128);

// Values that follow each other by the step.
struct Piece {
  enum class Outcome : uint8_t {
    kOk,
    kNone,  // there is no segment, or it is used up, and no other is ready
    kGone,  // the place is another key's
  };
  Outcome outcome = Outcome::kNone;
  int64_t first = 0;
  int64_t count = 0;
  bool is_low = false;  // less than half is left, and no other is ready
};

// Takes up to `most` values, those of one segment.
template <class Memory>
Piece Take(Segments& segments, uint64_t tenure, int64_t step, int64_t most) noexcept {
  uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  while (true) {
    if (Memory::Load(segments.tenure, Step::kLoadTenure) != tenure) return {.outcome = Piece::Outcome::kGone};
    uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
    const Segments::Slot* slot = &segments.slots[serial & 1];
    auto count = gone == Cursor::kClosed ? 0 : Memory::Load(slot->count, Step::kLoadSegment);
    if (gone >= count) {
      if (Memory::Load(segments.ready, Step::kLoadReady) != serial + 1) return {.outcome = Piece::Outcome::kNone};
      serial += 1;
      gone = 0;
      slot = &segments.slots[serial & 1];
      count = Memory::Load(slot->count, Step::kLoadSegment);
    }
    const uint64_t taken = std::min(static_cast<uint64_t>(most), count - gone);
    const auto first = static_cast<int64_t>(Memory::Load(slot->first, Step::kLoadSegment));
    if (!Memory::Swap(segments.cursor, cursor, Cursor::Of(serial, gone + taken), Step::kSwapCursor)) continue;
    const bool is_low =
        count > 1 && (count - gone - taken) * 2 < count && Memory::Load(segments.ready, Step::kLoadReady) != serial + 1;
    return {.outcome = Piece::Outcome::kOk,
            .first = first + static_cast<int64_t>(gone) * step,
            .count = static_cast<int64_t>(taken),
            .is_low = is_low};
  }
}

// The rest is for who holds the lock of the place.

// How many values there are to take, with those of the segment that waits.
template <class Memory>
int64_t CountLeft(const Segments& segments) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  const uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  uint64_t left = 0;
  if (gone != Cursor::kClosed) left = Memory::Load(segments.slots[serial & 1].count, Step::kLoadSegment) - gone;
  if (Memory::Load(segments.ready, Step::kLoadReady) == serial + 1)
    left += Memory::Load(segments.slots[(serial + 1) & 1].count, Step::kLoadSegment);
  return static_cast<int64_t>(left);
}

// Whether a segment waits for its turn, so that there is no room for another.
template <class Memory>
bool HasReady(const Segments& segments) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  return Memory::Load(segments.ready, Step::kLoadReady) == Cursor::Serial(cursor) + 1;
}

// Whether another segment should be fetched: of the current one less than half is left, and none waits.
template <class Memory>
bool IsLow(const Segments& segments) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  const uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  if (gone == Cursor::kClosed || Memory::Load(segments.ready, Step::kLoadReady) == serial + 1) return false;
  const uint64_t count = Memory::Load(segments.slots[serial & 1].count, Step::kLoadSegment);
  return (count - gone) * 2 < count;
}

// Puts down a segment that the store gave, for when the current one is used up. None must be waiting. It is announced
// only when it stands: who sees it ready reads it. Returns its serial.
template <class Memory>
uint64_t Put(Segments& segments, int64_t first, int64_t count) noexcept {
  const uint64_t serial = Cursor::Serial(Memory::Load(segments.cursor, Step::kLoadCursor)) + 1;
  Segments::Slot& slot = segments.slots[serial & 1];
  Memory::Store(slot.first, static_cast<uint64_t>(first), Step::kSetSegment);
  Memory::Store(slot.count, static_cast<uint64_t>(count), Step::kSetSegment);
  Memory::Store(segments.ready, serial, Step::kSetReady);
  return serial;
}

// What nobody took when the segments were given up.
struct Rest {
  int64_t end = 0;      // its last value
  int64_t count = 0;    // of values, which follow each other by the step; 0 for none
  uint64_t serial = 0;  // of the segment that `end` is of

  constexpr int64_t Amount(int64_t step) const noexcept { return count * step; }
};

// Gives up what there is: nobody takes any of it afterwards. Of what is left, the part that lies at the store's end:
// values that other servers have, between the two segments, cut it. `follows`: nobody took any before the one that
// waits.
template <class Memory>
Rest Close(Segments& segments, int64_t step, bool follows) noexcept {
  uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  // A serial further than the one that may be waiting, so that this one's turn never comes.
  while (!Memory::Swap(segments.cursor, cursor, Cursor::Of(Cursor::Serial(cursor) + 2, Cursor::kClosed),
                       Step::kSwapCursor)) {
  }
  const uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  const auto end_of = [step](const Segments::Slot& slot) {
    return static_cast<int64_t>(slot.first.load()) + (static_cast<int64_t>(slot.count.load()) - 1) * step;
  };
  Rest rest;
  if (gone != Cursor::kClosed) {
    const Segments::Slot& current = segments.slots[serial & 1];
    rest = {.end = end_of(current), .count = static_cast<int64_t>(current.count.load() - gone), .serial = serial};
  }
  if (Memory::Load(segments.ready, Step::kLoadReady) == serial + 1) {
    const Segments::Slot& next = segments.slots[(serial + 1) & 1];
    const auto first = static_cast<int64_t>(next.first.load());
    const bool adjoins = rest.count > 0 && first > rest.end && first - rest.end == step;
    rest = {.end = end_of(next),
            .count = static_cast<int64_t>(next.count.load()) + (follows && adjoins ? rest.count : 0),
            .serial = serial + 1};
  }
  return rest;
}

// Gives the place to another key. What was there must have been closed. The cursor moves once more after the tenure
// has: who loaded it before, and saw the former tenure, could otherwise swap it for the new key's first segment.
// Returns the new tenure.
template <class Memory>
uint64_t MoveIn(Segments& segments) noexcept {
  const uint64_t tenure = Memory::Load(segments.tenure, Step::kLoadTenure) + 1;
  Memory::Store(segments.tenure, tenure, Step::kSetTenure);
  const uint64_t serial = Cursor::Serial(Memory::Load(segments.cursor, Step::kLoadCursor));
  Memory::Store(segments.cursor, Cursor::Of(serial + 1, Cursor::kClosed), Step::kSwapCursor);
  return tenure;
}

inline constexpr int64_t kShortLifeUs = 1000 * 1000;
inline constexpr int64_t kLongLifeUs = 10 * 1000 * 1000;

// How large the next segment is to be, of at most `cache` values: the first has one, and they double while one lasts
// less than a second and halve while one lasts more than ten. `size`: of the latest, 0 for none, which lasted so long.
constexpr int64_t NextSegmentSize(int64_t size, int64_t lasted_us, int64_t cache) noexcept {
  if (size < 1) return 1;
  if (lasted_us < kShortLifeUs) return std::min(size * 2, cache);
  if (lasted_us > kLongLifeUs) return std::max(size / 2, int64_t{1});
  return std::min(size, cache);
}

}  // namespace idgen::sequencer
