// Every interleaving of two backends that take values with a third that puts segments down, closes the slot and gives
// it to another key, of the code that ships: no value twice, none that goes back, none of another key. And the proof
// that the explorer would notice: each wrong order of the steps is caught.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "explorer.h"
#include "sequencer/segment.h"

namespace idgen::sequencer {
namespace {

using explorer::Explorer;
using explorer::Findings;
using Memory = explorer::ExploringMemory;
using Actor = std::function<void()>;

constexpr const char* kTwice = "a value is given twice";
constexpr const char* kBackwards = "a value goes backwards";
constexpr const char* kForeign = "a value is another key's, or nobody's";

// Values of the first key are below this, those of the second above.
constexpr int64_t kSecondKey = 100;

struct World {
  Segments segments = {};
  uint64_t tenure = 0;        // of the first key
  std::vector<bool> granted;  // by value
  std::vector<bool> issued;
  std::vector<int64_t> in_order;  // the first value of every range, in the order of the swaps; 0: not known yet
  std::vector<int64_t> ends;
  size_t mine[8] = {};     // by actor: its latest in `in_order`
  int64_t latest[8] = {};  // by actor: the last value it took; 0 for none
};
World& world = *new World;

// Notes in which order ranges were taken: in the step that takes them.
struct Ordered : Memory {
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step step) noexcept {
    if (!Memory::Swap(word, expected, desired, step)) return false;
    if (Cursor::Gone(desired) == Cursor::kClosed) return true;
    const int actor = Explorer::current->running();
    if (actor >= 0) world.mine[actor] = world.in_order.size();
    world.in_order.push_back(0);
    world.ends.push_back(0);
    return true;
  }
};

void Issue(int64_t value) {
  const auto index = static_cast<size_t>(value);
  if (value < 1 || index >= world.granted.size() || !world.granted[index]) return Explorer::current->Fail(kForeign);
  if (world.issued[index]) Explorer::current->Fail(kTwice);
  world.issued[index] = true;
}

template <class Policy>
void TakeSome(uint64_t tenure, int64_t max, bool first_key) {
  const Range range = Take<Policy>(world.segments, tenure, 1, max);
  const int actor = Explorer::current->running();
  world.latest[actor] = 0;
  if (range.result != Range::Result::kTaken) return;
  if (range.count < 1) Explorer::current->Fail(kForeign);
  const size_t order = world.mine[actor];
  const int64_t last = world.latest[actor] = range.first + range.count - 1;
  for (int64_t value = range.first; value <= last; ++value) {
    Explorer::current->Note("takes", static_cast<uint64_t>(value));
    Issue(value);
    if ((value < kSecondKey) != first_key) Explorer::current->Fail(kForeign);
  }
  world.in_order[order] = range.first;
  world.ends[order] = last;
  for (size_t i = 0; i < world.in_order.size(); ++i) {
    if (i == order || world.in_order[i] == 0) continue;
    if ((world.in_order[i] < kSecondKey) != first_key) continue;
    if (i < order ? world.ends[i] >= range.first : world.in_order[i] <= last) Explorer::current->Fail(kBackwards);
  }
}

template <class Policy = Ordered>
Actor Taker(int64_t max, int times) {
  return [=] {
    for (int i = 0; i < times; ++i) {
      TakeSome<Policy>(world.tenure, max, true);
      // What it has taken is all it keeps.
      Explorer::current->Settle({static_cast<uint64_t>(world.latest[Explorer::current->running()])});
    }
  };
}

void Grant(int64_t first, int64_t count) {
  for (int64_t value = first; value < first + count; ++value) world.granted[static_cast<size_t>(value)] = true;
}

Actor PutDown(int64_t first, int64_t count) {
  return [=] {
    Grant(first, count);
    if (!HasReady<Memory>(world.segments)) Put<Memory>(world.segments, first, count);
  };
}

// What is left is given back, and taken by somebody else at once.
void GiveUp() {
  const Remainder remainder = Close<Memory>(world.segments, 1, true);
  for (int64_t i = 0; i < remainder.count; ++i) Issue(remainder.end - i);
}

// The second key moves in, has a segment put down, and takes from it.
void MoveOn() {
  const uint64_t tenure = MoveIn<Memory>(world.segments);
  Grant(kSecondKey + 1, 3);
  Put<Memory>(world.segments, kSecondKey + 1, 3);
  TakeSome<Ordered>(tenure, 1, false);
}

Actor Sequence(std::vector<Actor> steps) {
  return [steps] {
    for (const Actor& step : steps) step();
  };
}

// The first key has 1 to 3.
void SetUp() {
  std::destroy_at(&world);
  std::construct_at(&world);
  world.granted.resize(200);
  world.issued.resize(200);
  world.tenure = MoveIn<core::PlainMemory>(world.segments);
  Grant(1, 3);
  Put<core::PlainMemory>(world.segments, 1, 3);
  world.segments.cursor.store(Cursor::Of(world.segments.ready.load(), 0));
}

std::string Describe(const Word* word, uint64_t value) {
  if (word == &world.segments.cursor)
    return "segment " + std::to_string(Cursor::Serial(value)) +
           (Cursor::Gone(value) == Cursor::kClosed ? " closed" : ", " + std::to_string(Cursor::Gone(value)) + " gone");
  return std::to_string(value);
}

Findings Explore(const Actor& installer, const Actor& one, const Actor& two) {
  const auto set_up = [&](Explorer& explorer) {
    SetUp();
    explorer.Add("installer", installer);
    explorer.Add("taker 1", one);
    explorer.Add("taker 2", two);
  };
  return Explorer(set_up, Describe).Explore();
}

testing::AssertionResult Holds(const Actor& installer, const Actor& one, const Actor& two) {
  const Findings found = Explore(installer, one, two);
  if (!found.violation.empty())
    return testing::AssertionFailure() << found.violation << " after this schedule:\n" << found.timeline;
  printf("[ explored ] %.2g schedules, by %zu runs through %zu states\n", found.schedules, found.runs, found.states);
  return testing::AssertionSuccess();
}

testing::AssertionResult Catches(const char* violation, const Actor& installer, const Actor& one, const Actor& two) {
  const Findings found = Explore(installer, one, two);
  if (found.violation != violation)
    return testing::AssertionFailure() << "found: \"" << found.violation << "\"\n" << found.timeline;
  printf("[  caught  ] %s, in run %zu\n", violation, found.runs);
  if (getenv("IDGEN_SHOW_SCHEDULES")) printf("%s", found.timeline.c_str());
  return testing::AssertionSuccess();
}

TEST(SegmentInterleaving, TakersAndSegmentsThatFollow) {
  // Others had 4 and 5.
  EXPECT_TRUE(Holds(Sequence({PutDown(6, 2), PutDown(8, 2)}), Taker(1, 2), Taker(2, 2)));
  EXPECT_TRUE(Holds(PutDown(6, 2), Taker(1, 3), Taker(5, 2)));
}

TEST(SegmentInterleaving, TakersWhileTheSlotIsClosed) {
  EXPECT_TRUE(Holds(Sequence({PutDown(4, 2), GiveUp, PutDown(10, 2)}), Taker(1, 2), Taker(2, 2)));
  EXPECT_TRUE(Holds(Sequence({GiveUp, PutDown(10, 2), PutDown(12, 2)}), Taker(1, 2), Taker(3, 2)));
}

TEST(SegmentInterleaving, TakersWhileAnotherKeyMovesIn) {
  EXPECT_TRUE(Holds(Sequence({PutDown(4, 2), GiveUp, MoveOn}), Taker(1, 2), Taker(2, 1)));
  EXPECT_TRUE(Holds(Sequence({GiveUp, MoveOn}), Taker(1, 2), Taker(3, 2)));
}

// ---- What could be done wrong ----

// Announced before it stands.
Actor AnnounceFirst(int64_t first, int64_t count) {
  return [=] {
    Grant(first, count);
    const uint64_t serial = Cursor::Serial(Memory::Load(world.segments.cursor, Step::kLoadCursor)) + 1;
    Memory::Store(world.segments.ready, serial, Step::kSetReady);
    Memory::Store(world.segments.stored[serial & 1].first, static_cast<uint64_t>(first), Step::kSetSegment);
    Memory::Store(world.segments.stored[serial & 1].count, static_cast<uint64_t>(count), Step::kSetSegment);
  };
}

// Put down over the current one.
Actor PutOver(int64_t first, int64_t count) {
  return [=] {
    Grant(first, count);
    const uint64_t serial = Cursor::Serial(Memory::Load(world.segments.cursor, Step::kLoadCursor)) + 2;
    Memory::Store(world.segments.stored[serial & 1].first, static_cast<uint64_t>(first), Step::kSetSegment);
    Memory::Store(world.segments.stored[serial & 1].count, static_cast<uint64_t>(count), Step::kSetSegment);
  };
}

// Closed under a serial that leads to the one that waits.
void CloseInPlace() {
  uint64_t cursor = Memory::Load(world.segments.cursor, Step::kLoadCursor);
  while (!Memory::Swap(world.segments.cursor, cursor, Cursor::Of(Cursor::Serial(cursor), Cursor::kClosed),
                       Step::kSwapCursor)) {
  }
  for (const int64_t value : {4, 5}) Issue(value);  // those that waited are given back
}

// Closed by a store, as if nobody could take meanwhile.
void CloseBlindly() {
  const uint64_t cursor = Memory::Load(world.segments.cursor, Step::kLoadCursor);
  const auto gone = static_cast<int64_t>(Cursor::Gone(cursor));
  Memory::Store(world.segments.cursor, Cursor::Of(Cursor::Serial(cursor) + 2, Cursor::kClosed), Step::kSwapCursor);
  for (int64_t value = 1 + gone; value <= 3; ++value) Issue(value);
}

// The second key moves in, and the cursor stays where the first left it.
void MoveInQuietly() {
  Memory::Store(world.segments.tenure, world.tenure + 1, Step::kSetTenure);
  Grant(kSecondKey + 1, 3);
  Put<Memory>(world.segments, kSecondKey + 1, 3);
}

// A swap that does not compare.
struct Blind : Ordered {
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step step) noexcept {
    Memory::Store(word, desired, step);
    expected = desired;
    const int actor = Explorer::current->running();
    world.mine[actor] = world.in_order.size();
    world.in_order.push_back(0);
    world.ends.push_back(0);
    return true;
  }
};

// The tenure, or the segment, is loaded before the cursor.
template <bool kTenure>
struct CursorLast : Ordered {
  static inline uint64_t tenure[8], first[8];  // by actor
  static void LoadEarly() {
    const int actor = Explorer::current->running();
    if (kTenure) {
      tenure[actor] = Memory::Load(world.segments.tenure, Step::kLoadTenure);
    } else {
      const uint64_t serial = Cursor::Serial(Memory::Load(world.segments.cursor, Step::kLoadCursor));
      first[actor] = Memory::Load(world.segments.stored[serial & 1].first, Step::kLoadSegment);
    }
  }
  static uint64_t Load(const Word& word, Step step) noexcept {
    const int actor = Explorer::current->running();
    if (kTenure && step == Step::kLoadTenure) return tenure[actor];
    const bool is_first = &word == &world.segments.stored[0].first || &word == &world.segments.stored[1].first;
    if (!kTenure && is_first) return first[actor];
    if (step == Step::kLoadCursor) LoadEarly();
    return Memory::Load(word, step);
  }
  static bool Swap(Word& word, uint64_t& expected, uint64_t desired, Step step) noexcept {
    if (Ordered::Swap(word, expected, desired, step)) return true;
    LoadEarly();
    expected = Memory::Load(word, Step::kLoadCursor);
    return false;
  }
};

TEST(WrongOrderOfSegments, WhenOneIsPutDownIsCaught) {
  EXPECT_TRUE(Catches(kForeign, AnnounceFirst(6, 2), Taker(1, 3), Taker(2, 2)));
  EXPECT_FALSE(Explore(PutOver(6, 2), Taker(1, 3), Taker(2, 2)).violation.empty());
}

TEST(WrongOrderOfSegments, WhenTheSlotIsClosedIsCaught) {
  EXPECT_TRUE(Catches(kTwice, Sequence({PutDown(4, 2), CloseInPlace}), Taker(1, 2), Taker(3, 2)));
  EXPECT_TRUE(Catches(kTwice, Actor(CloseBlindly), Taker(1, 2), Taker(2, 2)));
}

TEST(WrongOrderOfSegments, WhenAnotherKeyMovesInIsCaught) {
  EXPECT_TRUE(Catches(kForeign, Sequence({GiveUp, MoveInQuietly}), Taker(1, 2), Taker(2, 1)));
}

TEST(WrongOrderOfSegments, WhenValuesAreTakenIsCaught) {
  EXPECT_TRUE(Catches(kTwice, PutDown(4, 2), Taker<Blind>(1, 2), Taker<Blind>(2, 2)));
  EXPECT_TRUE(Catches(kForeign, Sequence({GiveUp, MoveOn}), Taker<CursorLast<true>>(1, 2), Taker(2, 1)));
  EXPECT_FALSE(Explore(PutDown(6, 2), Taker<CursorLast<false>>(1, 4), Taker(2, 2)).violation.empty());
}

}  // namespace
}  // namespace idgen::sequencer
