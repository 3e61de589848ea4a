// What a place of segments gives, when it says that more is wanted, what is left when it is closed, and how segments
// grow.
#include "sequencer/segment.h"

#include <gtest/gtest.h>

#include <vector>

namespace idgen::sequencer {
namespace {

using Memory = core::PlainMemory;
using Outcome = Piece::Outcome;

constexpr int64_t kStep = 3;

class Place {
 public:
  Place() { tenure = MoveIn<Memory>(segments); }
  Piece Take(int64_t most = 1) { return sequencer::Take<Memory>(segments, tenure, kStep, most); }
  void Put(int64_t first, int64_t count) { sequencer::Put<Memory>(segments, first, count); }
  Rest Close(bool follows = true) { return sequencer::Close<Memory>(segments, kStep, follows); }
  int64_t left() const { return CountLeft<Memory>(segments); }
  bool has_ready() const { return HasReady<Memory>(segments); }
  bool is_low() const { return IsLow<Memory>(segments); }
  // All there is, one by one.
  std::vector<int64_t> All() {
    std::vector<int64_t> values;
    for (Piece piece = Take(); piece.outcome == Outcome::kOk; piece = Take()) values.push_back(piece.first);
    return values;
  }

  Segments segments = {};
  uint64_t tenure;
};

TEST(Segment, HasNothingAtFirst) {
  Place place;
  EXPECT_EQ(place.Take().outcome, Outcome::kNone);
  EXPECT_EQ(place.left(), 0);
  EXPECT_FALSE(place.has_ready());
  EXPECT_FALSE(place.is_low());
  EXPECT_EQ(place.Close().count, 0);
}

TEST(Segment, GivesItsValuesInOrderAndThenNone) {
  Place place;
  place.Put(10, 4);
  EXPECT_EQ(place.left(), 4);
  EXPECT_EQ(place.All(), (std::vector<int64_t>{10, 13, 16, 19}));
  EXPECT_EQ(place.Take().outcome, Outcome::kNone);
  EXPECT_EQ(place.left(), 0);
}

TEST(Segment, TheNextFollowsWhenTheCurrentOneIsUsedUp) {
  Place place;
  place.Put(10, 2);
  place.Take();
  EXPECT_FALSE(place.has_ready());
  place.Put(100, 2);
  EXPECT_TRUE(place.has_ready());
  EXPECT_EQ(place.left(), 3);
  EXPECT_EQ(place.All(), (std::vector<int64_t>{13, 100, 103}));
  EXPECT_FALSE(place.has_ready());
}

TEST(Segment, ABatchTakesWhatIsLeftAndGoesOnInTheNext) {
  Place place;
  place.Put(10, 3);
  Piece piece = place.Take(2);
  place.Put(40, 3);
  EXPECT_EQ(piece.first, 10);
  EXPECT_EQ(piece.count, 2);
  piece = place.Take(5);
  EXPECT_EQ(piece.first, 16);
  EXPECT_EQ(piece.count, 1);
  piece = place.Take(5);
  EXPECT_EQ(piece.first, 40);
  EXPECT_EQ(piece.count, 3);
}

TEST(Segment, SaysWhenLessThanHalfIsLeftAndNoneWaits) {
  Place place;
  place.Put(1, 4);
  EXPECT_FALSE(place.Take(2).is_low);
  EXPECT_FALSE(place.is_low());
  EXPECT_TRUE(place.Take().is_low);
  EXPECT_TRUE(place.is_low());
  place.Put(100, 4);
  EXPECT_FALSE(place.is_low());
  EXPECT_FALSE(place.Take().is_low);
  EXPECT_TRUE(place.Take(3).is_low);
}

TEST(Segment, OfOneValueNeverAsksForMore) {
  Place place;
  place.Put(1, 1);
  EXPECT_FALSE(place.Take().is_low);
}

TEST(Segment, GivesNothingToWhoKnewThePlaceAsAnothers) {
  Place place;
  place.Put(1, 4);
  place.Close();
  MoveIn<Memory>(place.segments);
  place.Put(500, 4);
  EXPECT_EQ(place.Take().outcome, Outcome::kGone);
  EXPECT_EQ(place.left(), 4);
}

TEST(Segment, ClosedGivesNothingUntilAnotherComes) {
  Place place;
  place.Put(1, 4);
  place.Take();
  place.Put(13, 4);
  place.Close();
  EXPECT_EQ(place.Take().outcome, Outcome::kNone);
  EXPECT_EQ(place.left(), 0);
  EXPECT_FALSE(place.is_low());
  place.Put(700, 2);
  EXPECT_EQ(place.All(), (std::vector<int64_t>{700, 703}));
}

TEST(Segment, TheRestIsWhatLiesAtTheEnd) {
  Place place;
  place.Put(1, 4);  // 1 4 7 10
  place.Take();
  Rest rest = place.Close();
  EXPECT_EQ(rest.end, 10);
  EXPECT_EQ(rest.count, 3);
  EXPECT_EQ(rest.Amount(kStep), 9);

  place.Put(1, 4);
  place.Take(4);
  EXPECT_EQ(place.Close().count, 0);

  place.Put(1, 4);
  place.Take();
  place.Put(13, 2);  // 13 16: at once
  rest = place.Close();
  EXPECT_EQ(rest.end, 16);
  EXPECT_EQ(rest.count, 5);

  place.Put(1, 4);
  place.Take();
  place.Put(19, 2);  // others had some in between
  rest = place.Close();
  EXPECT_EQ(rest.end, 22);
  EXPECT_EQ(rest.count, 2);

  place.Put(1, 4);
  place.Take();
  place.Put(13, 2);  // a store that forgot has come so far once more
  rest = place.Close(/*follows=*/false);
  EXPECT_EQ(rest.end, 16);
  EXPECT_EQ(rest.count, 2);

  EXPECT_EQ(place.Close().count, 0);
}

TEST(Segment, ReachesTheHighestBigint) {
  Place place;
  place.Put(INT64_MAX - kStep, 2);
  EXPECT_EQ(place.Take().first, INT64_MAX - kStep);
  const Rest rest = place.Close();
  EXPECT_EQ(rest.end, INT64_MAX);
  EXPECT_EQ(rest.count, 1);
}

TEST(Segment, MayHaveAMillionValues) {
  Place place;
  place.Put(1, kMaxSegment);
  EXPECT_EQ(place.Take(kMaxSegment - 1).count, kMaxSegment - 1);
  EXPECT_EQ(place.Take(kMaxSegment).count, 1);
  EXPECT_EQ(place.Take().outcome, Outcome::kNone);
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
