// What a slot gives, when it says that it runs low, what remains when it is closed, and how segments
// grow.
#include "sequencer/segment.h"

#include <gtest/gtest.h>

#include <vector>

namespace idgen::sequencer {
namespace {

using Memory = core::PlainMemory;
using Result = Range::Result;

constexpr int64_t kStep = 3;

class TestSlot {
 public:
  TestSlot() { tenure = MoveIn<Memory>(segments); }
  Range Take(int64_t max = 1) { return sequencer::Take<Memory>(segments, tenure, kStep, max); }
  void Put(int64_t first, int64_t count) { sequencer::Put<Memory>(segments, first, count); }
  Remainder Close(bool follows = true) { return sequencer::Close<Memory>(segments, kStep, follows); }
  int64_t left() const { return CountLeft<Memory>(segments); }
  bool has_ready() const { return HasReady<Memory>(segments); }
  bool is_low() const { return IsLow<Memory>(segments); }
  // All there is, one by one.
  std::vector<int64_t> All() {
    std::vector<int64_t> values;
    for (Range range = Take(); range.result == Result::kTaken; range = Take()) values.push_back(range.first);
    return values;
  }

  Segments segments = {};
  uint64_t tenure;
};

TEST(Segment, HasNothingAtFirst) {
  TestSlot slot;
  EXPECT_EQ(slot.Take().result, Result::kNone);
  EXPECT_EQ(slot.left(), 0);
  EXPECT_FALSE(slot.has_ready());
  EXPECT_FALSE(slot.is_low());
  EXPECT_EQ(slot.Close().count, 0);
}

TEST(Segment, GivesItsValuesInOrderAndThenNone) {
  TestSlot slot;
  slot.Put(10, 4);
  EXPECT_EQ(slot.left(), 4);
  EXPECT_EQ(slot.All(), (std::vector<int64_t>{10, 13, 16, 19}));
  EXPECT_EQ(slot.Take().result, Result::kNone);
  EXPECT_EQ(slot.left(), 0);
}

TEST(Segment, TheNextFollowsWhenTheCurrentOneIsUsedUp) {
  TestSlot slot;
  slot.Put(10, 2);
  slot.Take();
  EXPECT_FALSE(slot.has_ready());
  slot.Put(100, 2);
  EXPECT_TRUE(slot.has_ready());
  EXPECT_EQ(slot.left(), 3);
  EXPECT_EQ(slot.All(), (std::vector<int64_t>{13, 100, 103}));
  EXPECT_FALSE(slot.has_ready());
}

TEST(Segment, ABatchTakesWhatIsLeftAndGoesOnInTheNext) {
  TestSlot slot;
  slot.Put(10, 3);
  Range range = slot.Take(2);
  slot.Put(40, 3);
  EXPECT_EQ(range.first, 10);
  EXPECT_EQ(range.count, 2);
  range = slot.Take(5);
  EXPECT_EQ(range.first, 16);
  EXPECT_EQ(range.count, 1);
  range = slot.Take(5);
  EXPECT_EQ(range.first, 40);
  EXPECT_EQ(range.count, 3);
}

TEST(Segment, SaysWhenLessThanHalfIsLeftAndNoneWaits) {
  TestSlot slot;
  slot.Put(1, 4);
  EXPECT_FALSE(slot.Take(2).is_low);
  EXPECT_FALSE(slot.is_low());
  EXPECT_TRUE(slot.Take().is_low);
  EXPECT_TRUE(slot.is_low());
  slot.Put(100, 4);
  EXPECT_FALSE(slot.is_low());
  EXPECT_FALSE(slot.Take().is_low);
  EXPECT_TRUE(slot.Take(3).is_low);
}

TEST(Segment, OfOneValueNeverRequestsAnother) {
  TestSlot slot;
  slot.Put(1, 1);
  EXPECT_FALSE(slot.Take().is_low);
}

TEST(Segment, GivesNothingUnderAnEarlierTenure) {
  TestSlot slot;
  slot.Put(1, 4);
  slot.Close();
  MoveIn<Memory>(slot.segments);
  slot.Put(500, 4);
  EXPECT_EQ(slot.Take().result, Result::kGone);
  EXPECT_EQ(slot.left(), 4);
}

TEST(Segment, ClosedGivesNothingUntilAnotherComes) {
  TestSlot slot;
  slot.Put(1, 4);
  slot.Take();
  slot.Put(13, 4);
  slot.Close();
  EXPECT_EQ(slot.Take().result, Result::kNone);
  EXPECT_EQ(slot.left(), 0);
  EXPECT_FALSE(slot.is_low());
  slot.Put(700, 2);
  EXPECT_EQ(slot.All(), (std::vector<int64_t>{700, 703}));
}

TEST(Segment, TheRemainderIsWhatLiesAtTheEnd) {
  TestSlot slot;
  slot.Put(1, 4);  // 1 4 7 10
  slot.Take();
  Remainder remainder = slot.Close();
  EXPECT_EQ(remainder.end, 10);
  EXPECT_EQ(remainder.count, 3);
  EXPECT_EQ(remainder.Amount(kStep), 9);

  slot.Put(1, 4);
  slot.Take(4);
  EXPECT_EQ(slot.Close().count, 0);

  slot.Put(1, 4);
  slot.Take();
  slot.Put(13, 2);  // 13 16: at once
  remainder = slot.Close();
  EXPECT_EQ(remainder.end, 16);
  EXPECT_EQ(remainder.count, 5);

  slot.Put(1, 4);
  slot.Take();
  slot.Put(19, 2);  // others had some in between
  remainder = slot.Close();
  EXPECT_EQ(remainder.end, 22);
  EXPECT_EQ(remainder.count, 2);

  slot.Put(1, 4);
  slot.Take();
  slot.Put(13, 2);  // a store that forgot has come so far once more
  remainder = slot.Close(/*follows=*/false);
  EXPECT_EQ(remainder.end, 16);
  EXPECT_EQ(remainder.count, 2);

  EXPECT_EQ(slot.Close().count, 0);
}

TEST(Segment, ReachesTheHighestBigint) {
  TestSlot slot;
  slot.Put(INT64_MAX - kStep, 2);
  EXPECT_EQ(slot.Take().first, INT64_MAX - kStep);
  const Remainder remainder = slot.Close();
  EXPECT_EQ(remainder.end, INT64_MAX);
  EXPECT_EQ(remainder.count, 1);
}

TEST(Segment, MayHaveAMillionValues) {
  TestSlot slot;
  slot.Put(1, kMaxSegment);
  EXPECT_EQ(slot.Take(kMaxSegment - 1).count, kMaxSegment - 1);
  EXPECT_EQ(slot.Take(kMaxSegment).count, 1);
  EXPECT_EQ(slot.Take().result, Result::kNone);
}

TEST(Segment, GrowsWhileItIsUsedUpAtOnceAndShrinksWhileItLasts) {
  EXPECT_EQ(NextSegmentSize(0, 0, 1000), 1);
  EXPECT_EQ(NextSegmentSize(1, 10, 1000), 2);
  EXPECT_EQ(NextSegmentSize(512, 999999, 1000), 1000);
  EXPECT_EQ(NextSegmentSize(1000, 10, 1000), 1000);
  EXPECT_EQ(NextSegmentSize(512, 1000000, 1000), 512);
  EXPECT_EQ(NextSegmentSize(512, 10000000, 1000), 512);
  EXPECT_EQ(NextSegmentSize(512, 10000001, 1000), 256);
  EXPECT_EQ(NextSegmentSize(1, 10000001, 1000), 1);
  EXPECT_EQ(NextSegmentSize(2, 10, 2), 2);
}

}  // namespace
}  // namespace idgen::sequencer
