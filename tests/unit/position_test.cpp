// Times as positions, positions as times and ids.
#include "core/position.h"

#include <gtest/gtest.h>

#include "support.h"

namespace idgen::core {
namespace {

TEST(Position, TheEpochIsPositionZero) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond}) {
    EXPECT_EQ(PositionAt(layout, layout.epoch_ms), 0u);
    EXPECT_EQ(PositionAt(layout, layout.epoch_ms + layout.unit_ms), layout.sequence.MaxValue() + 1);
  }
}

TEST(Position, EveryTimeOfATickIsTheTicksFirstPosition) {
  for (const Layout& layout : {kTenMs, kOneSecond}) {
    const Position first = PositionOfTick(layout, 7);
    for (int64_t ms = 0; ms < layout.unit_ms; ++ms)
      ASSERT_EQ(PositionAt(layout, layout.epoch_ms + 7 * layout.unit_ms + ms), first) << ms << " ms into the tick";
    EXPECT_EQ(PositionAt(layout, layout.epoch_ms + 8 * layout.unit_ms), PositionOfTick(layout, 8));
    EXPECT_EQ(PositionAt(layout, layout.epoch_ms + 7 * layout.unit_ms - 1), PositionOfTick(layout, 6));
  }
}

TEST(Position, TheTickBeforeTheEpochIsNegative) {
  EXPECT_EQ(TickAt(kDefaultLayout, kDefaultLayout.epoch_ms - 1), -1);
  EXPECT_EQ(TickAt(kTenMs, kTenMs.epoch_ms - 1), -1);
  EXPECT_EQ(TickAt(kTenMs, kTenMs.epoch_ms - 10), -1);
  EXPECT_EQ(TickAt(kTenMs, kTenMs.epoch_ms - 11), -2);
}

TEST(Position, TimesBeforeTheEpochSaturateToTheStart) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond}) {
    for (const int64_t before_ms : {int64_t{1}, layout.unit_ms, layout.epoch_ms, int64_t{1} << 60})
      EXPECT_EQ(PositionAt(layout, layout.epoch_ms - before_ms), 0u) << before_ms;
  }
}

TEST(Position, TimesAfterTheEndSaturateToTheEnd) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond, kTiny}) {
    const int64_t last_tick = static_cast<int64_t>(layout.time.MaxValue());
    const int64_t end_ms = layout.epoch_ms + (last_tick + 1) * layout.unit_ms;
    EXPECT_EQ(PositionAt(layout, end_ms - 1), EndOfLine(layout) - (layout.sequence.MaxValue() + 1));
    for (const int64_t after_ms : {int64_t{0}, layout.unit_ms, end_ms - layout.epoch_ms, int64_t{1} << 60})
      EXPECT_EQ(PositionAt(layout, end_ms + after_ms), EndOfLine(layout)) << after_ms;
  }
}

TEST(Position, ALineMayTakeAllSixtyThreeBits) {
  Layout layout = kDefaultLayout;
  layout.worker = {};
  layout.sequence.width = 22;
  EXPECT_EQ(EndOfLine(layout), uint64_t{1} << 63);
  EXPECT_EQ(PositionAt(layout, int64_t{1} << 60), uint64_t{1} << 63);
  EXPECT_EQ(Compose(layout, EndOfLine(layout) - 1, 0), INT64_MAX);
}

TEST(Position, TimeOfGivesTheStartOfTheTick) {
  const int64_t tick_ms = kTenMs.epoch_ms + 1234560;
  for (const int64_t ms : {0, 1, 9}) EXPECT_EQ(TimeOf(kTenMs, PositionAt(kTenMs, tick_ms + ms)), tick_ms);
  EXPECT_EQ(TimeOf(kTenMs, PositionAt(kTenMs, tick_ms) + 255), tick_ms);
  EXPECT_EQ(TimeOf(kTenMs, PositionAt(kTenMs, tick_ms) + 256), tick_ms + 10);
}

TEST(Position, NextTickStaysOnlyIfTheTickHasNotBegun) {
  EXPECT_EQ(NextTick(kTenMs, 256), 256u);
  EXPECT_EQ(NextTick(kTenMs, 257), 512u);
  EXPECT_EQ(NextTick(kTenMs, 511), 512u);
}

TEST(Position, ALayoutWithoutSequenceHasOnePositionPerTick) {
  Layout layout = kTenMs;
  layout.sequence = {};
  EXPECT_EQ(PositionAt(layout, layout.epoch_ms + 25), 2u);
  EXPECT_EQ(NextTick(layout, 2), 2u);
  EXPECT_EQ(TimeOf(layout, 2), layout.epoch_ms + 20);
}

TEST(Position, ComposePutsTimeWorkerAndSequenceAsTheLayoutSays) {
  const Position position = PositionOfTick(kDefaultLayout, 1) + 5;
  EXPECT_EQ(Compose(kDefaultLayout, position, 3), (1 << 22) + (3 << 12) + 5);
}

// Sonyflake puts the sequence above the machine: time 39, sequence 8, machine 16.
TEST(Position, ComposeMakesSonyflakesIds) {
  Layout sonyflake = kTenMs;
  sonyflake.sequence.shift = 16;
  sonyflake.worker.shift = 0;
  const int64_t at_ms = 1772600767890;  // 2026-03-04 05:06:07.890 UTC
  EXPECT_EQ(Compose(sonyflake, PositionAt(sonyflake, sonyflake.epoch_ms + 10) + 1, 1), 16842753);
  EXPECT_EQ(TickAt(sonyflake, at_ms), 36307116789);
  EXPECT_EQ(Compose(sonyflake, PositionAt(sonyflake, at_ms) + 200, 65535), 609132340719452159);
}

TEST(Position, TheLargestIdIsPositive) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond})
    EXPECT_EQ(Compose(layout, EndOfLine(layout) - 1, static_cast<uint32_t>(layout.worker.MaxValue())), INT64_MAX);
}

TEST(Position, ALaterPositionIsALargerIdUnderOneWorker) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond}) {
    const Position tick = PositionAt(layout, kNowMs);
    for (Position position = tick - 3; position < tick + 3; ++position)
      EXPECT_LT(Compose(layout, position, 9), Compose(layout, position + 1, 9));
  }
}

TEST(Position, ALaterTickIsALargerIdUnderAnyWorker) {
  const Position tick = PositionAt(kDefaultLayout, kNowMs);
  EXPECT_LT(Compose(kDefaultLayout, tick - 1, 1023), Compose(kDefaultLayout, tick, 0));
}

}  // namespace
}  // namespace idgen::core
