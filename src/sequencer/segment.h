// Segments of one key's values that a server fetched from the store: the current segment, which hands out its values to
// all backends by one compare-and-swap each, and the next segment, which is fetched before the current one runs out.
//
// The cursor says which segment is current and how many of its values are gone. Serial numbers of segments only grow,
// even when the slot passes to another key. A successful swap therefore proves that nothing it was computed from has
// changed since the cursor was loaded: the slot's tenure and the segment's range are loaded after the cursor, and are
// written only when no cursor that led to them can be swapped any more. Writers hold the lock of the slot table.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/memory.h"

namespace idgen::sequencer {

using core::Step;
using core::Word;

// The maximum number of values in a segment: the number of those that are gone must fit the cursor.
inline constexpr int64_t kMaxSegment = 1000000;

// A segment's serial number and how many of its values are gone.
struct Cursor {
  static constexpr int kGoneBits = 20;
  static constexpr uint64_t kClosed = (uint64_t{1} << kGoneBits) - 1;  // instead of a number: there is no segment
  static_assert(kMaxSegment < static_cast<int64_t>(kClosed));

  static constexpr uint64_t Of(uint64_t serial, uint64_t gone) noexcept { return serial << kGoneBits | gone; }
  static constexpr uint64_t Serial(uint64_t word) noexcept { return word >> kGoneBits; }
  static constexpr uint64_t Gone(uint64_t word) noexcept { return word & kClosed; }
};

struct alignas(64) Segments {
  Word cursor;
  Word tenure;  // grows whenever the slot passes to another key
  Word ready;   // serial of the next segment; at most that of the current one if there is no next one
  struct Stored {
    Word first;
    Word count;
  };
  alignas(64) Stored stored[2];  // by serial, odd and even
};
static_assert(sizeof(Segments) == 128);

// Consecutive values of one segment, a step apart.
struct Range {
  enum class Result : uint8_t {
    kTaken,
    kNone,  // there is no segment, or it is used up and no next one is ready
    kGone,  // the slot belongs to another key now
  };
  Result result = Result::kNone;
  int64_t first = 0;
  int64_t count = 0;
  bool is_low = false;  // less than half of the segment is left, and no next one is ready
};

// Takes up to `max` values, all from one segment.
template <class Memory>
Range Take(Segments& segments, uint64_t tenure, int64_t step, int64_t max) noexcept {
  uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  while (true) {
    if (Memory::Load(segments.tenure, Step::kLoadTenure) != tenure) return {.result = Range::Result::kGone};
    uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
    const Segments::Stored* stored = &segments.stored[serial & 1];
    auto count = gone == Cursor::kClosed ? 0 : Memory::Load(stored->count, Step::kLoadSegment);
    if (gone >= count) {
      if (Memory::Load(segments.ready, Step::kLoadReady) != serial + 1) return {.result = Range::Result::kNone};
      serial += 1;
      gone = 0;
      stored = &segments.stored[serial & 1];
      count = Memory::Load(stored->count, Step::kLoadSegment);
    }
    const uint64_t taken = std::min(static_cast<uint64_t>(max), count - gone);
    const auto first = static_cast<int64_t>(Memory::Load(stored->first, Step::kLoadSegment));
    if (!Memory::Swap(segments.cursor, cursor, Cursor::Of(serial, gone + taken), Step::kSwapCursor)) continue;
    const bool is_low =
        count > 1 && (count - gone - taken) * 2 < count && Memory::Load(segments.ready, Step::kLoadReady) != serial + 1;
    return {.result = Range::Result::kTaken,
            .first = first + static_cast<int64_t>(gone) * step,
            .count = static_cast<int64_t>(taken),
            .is_low = is_low};
  }
}

// The caller of the functions below holds the lock of the slot table.

// How many values can be taken, including those of the next segment.
template <class Memory>
int64_t CountLeft(const Segments& segments) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  const uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  uint64_t left = 0;
  if (gone != Cursor::kClosed) left = Memory::Load(segments.stored[serial & 1].count, Step::kLoadSegment) - gone;
  if (Memory::Load(segments.ready, Step::kLoadReady) == serial + 1)
    left += Memory::Load(segments.stored[(serial + 1) & 1].count, Step::kLoadSegment);
  return static_cast<int64_t>(left);
}

// The value that is taken next; false if there is none.
template <class Memory>
bool NextValue(const Segments& segments, int64_t step, int64_t* value) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  if (gone == Cursor::kClosed || gone >= Memory::Load(segments.stored[serial & 1].count, Step::kLoadSegment)) {
    if (Memory::Load(segments.ready, Step::kLoadReady) != serial + 1) return false;
    ++serial;
    gone = 0;
  }
  const uint64_t first = Memory::Load(segments.stored[serial & 1].first, Step::kLoadSegment);
  *value = static_cast<int64_t>(first) + static_cast<int64_t>(gone) * step;
  return true;
}

// Whether there is a next segment already, so that another one cannot be put.
template <class Memory>
bool HasReady(const Segments& segments) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  return Memory::Load(segments.ready, Step::kLoadReady) == Cursor::Serial(cursor) + 1;
}

// Whether another segment should be fetched: less than half of the current one is left, and there is no next one.
template <class Memory>
bool IsLow(const Segments& segments) noexcept {
  const uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  const uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  if (gone == Cursor::kClosed || Memory::Load(segments.ready, Step::kLoadReady) == serial + 1) return false;
  const uint64_t count = Memory::Load(segments.stored[serial & 1].count, Step::kLoadSegment);
  return (count - gone) * 2 < count;
}

// Puts a segment from the store as the next one; there must be none. It is announced only when it is complete, because
// any process that sees it ready reads it. Returns its serial.
template <class Memory>
uint64_t Put(Segments& segments, int64_t first, int64_t count) noexcept {
  const uint64_t serial = Cursor::Serial(Memory::Load(segments.cursor, Step::kLoadCursor)) + 1;
  Segments::Stored& stored = segments.stored[serial & 1];
  Memory::Store(stored.first, static_cast<uint64_t>(first), Step::kSetSegment);
  Memory::Store(stored.count, static_cast<uint64_t>(count), Step::kSetSegment);
  Memory::Store(segments.ready, serial, Step::kSetReady);
  return serial;
}

// Values that nobody had taken when the segments were closed.
struct Remainder {
  int64_t end = 0;      // the last value
  int64_t count = 0;    // of values, a step apart; 0 for none
  uint64_t serial = 0;  // of the segment that `end` belongs to

  constexpr int64_t Amount(int64_t step) const noexcept { return count * step; }
};

// Closes the segments: nobody takes any value of them afterwards. The remainder ends at the last value that the store
// gave. Values of the current segment count among it only if the next one adjoins it and `follows` is true: if the
// store gave the next segment right after the current one.
template <class Memory>
Remainder Close(Segments& segments, int64_t step, bool follows) noexcept {
  uint64_t cursor = Memory::Load(segments.cursor, Step::kLoadCursor);
  // The serial skips the one that may be ready, so that the next segment never becomes the current one.
  while (!Memory::Swap(segments.cursor, cursor, Cursor::Of(Cursor::Serial(cursor) + 2, Cursor::kClosed),
                       Step::kSwapCursor)) {
  }
  const uint64_t serial = Cursor::Serial(cursor), gone = Cursor::Gone(cursor);
  const auto end_of = [step](const Segments::Stored& stored) {
    return static_cast<int64_t>(stored.first.load()) + (static_cast<int64_t>(stored.count.load()) - 1) * step;
  };
  Remainder remainder;
  if (gone != Cursor::kClosed) {
    const Segments::Stored& current = segments.stored[serial & 1];
    remainder = {.end = end_of(current), .count = static_cast<int64_t>(current.count.load() - gone), .serial = serial};
  }
  if (Memory::Load(segments.ready, Step::kLoadReady) == serial + 1) {
    const Segments::Stored& next = segments.stored[(serial + 1) & 1];
    const auto first = static_cast<int64_t>(next.first.load());
    const bool adjoins = remainder.count > 0 && first > remainder.end && first - remainder.end == step;
    remainder = {.end = end_of(next),
                 .count = static_cast<int64_t>(next.count.load()) + (follows && adjoins ? remainder.count : 0),
                 .serial = serial + 1};
  }
  return remainder;
}

// Passes the slot to another key; its segments must be closed. The cursor moves once more after the tenure has:
// otherwise a backend that loaded the cursor before, and saw the previous tenure, could swap it when the new key's
// first segment is ready. Returns the new tenure.
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

// The size of the next segment, at most `cache`. The first segment has one value; the size doubles when a segment lasts
// less than a second, and halves when one lasts more than ten. `size`: of the latest segment, which lasted `lasted_us`;
// 0 if there was none.
constexpr int64_t NextSegmentSize(int64_t size, int64_t lasted_us, int64_t cache) noexcept {
  if (size < 1) return 1;
  if (lasted_us < kShortLifeUs) return std::min(size * 2, cache);
  if (lasted_us > kLongLifeUs) return std::max(size / 2, int64_t{1});
  return std::min(size, cache);
}

}  // namespace idgen::sequencer
