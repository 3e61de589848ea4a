// The keeper starting from every kind of past: when it may, from where, and in what order.
#include "lease/keeper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "keeper_world.h"

namespace idgen::lease {
namespace {

using core::kMsPerDay;
using core::kMsPerMinute;
using core::kMsPerSecond;
using core::kUsPerMs;
using core::ReservationOutcome;
using core::Step;

TEST(Keeper, ANewServerIssuesAtOnce) {
  World world;
  world.Start();
  EXPECT_EQ(world.Published().worker(), 5u);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
  EXPECT_EQ(world.FirstIdMs(), kNowMs);
  EXPECT_EQ(world.keeper->view().phase, Phase::kHolding);
  EXPECT_EQ(world.Count(Event::Kind::kPublished), 1);
  EXPECT_EQ(world.Last(Event::Kind::kPublished).worker, 5u);
}

TEST(Keeper, PublishesNothingBeforeTheCeilingIsAcknowledged) {
  World world;
  world.Turn();
  world.source.silent = true;
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 1) << "one request at a time";
  EXPECT_FALSE(world.Published());
  world.source.silent = false;
  world.TakeAnswers();
  EXPECT_TRUE(world.Published());
}

TEST(Keeper, PublishesNothingWhileTheCeilingCannotBeMadeDurable) {
  World world;
  world.Turn();
  world.source.error = EIO;
  world.Run(kMsPerMinute);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.keeper->view().phase, Phase::kSecuring);
  EXPECT_EQ(world.keeper->view().source_error, EIO);
  EXPECT_EQ(world.Count(Event::Kind::kSourceFailed), 1);
  world.source.error = 0;
  world.Turn();
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kMsPerMinute + kLeadMs);
  EXPECT_EQ(world.Count(Event::Kind::kSourceRecovered), 1);
}

TEST(Keeper, AsksAgainForAFloorThatCouldNotBeRead) {
  World world;
  world.source.error = EACCES;
  world.Run(10 * kMsPerSecond);
  EXPECT_EQ(world.keeper->view().phase, Phase::kClaiming);
  EXPECT_EQ(world.keeper->view().source_error, EACCES);
  EXPECT_EQ(world.Count(Event::Kind::kSourceFailed), 1);
  EXPECT_EQ(world.Last(Event::Kind::kSourceFailed).error, EACCES);
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 0);
  world.source.error = 0;
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.Count(Event::Kind::kSourceRecovered), 1);
}

TEST(Keeper, LeavesAMissingPastAloneWhileNobodyAsksForIds) {
  World world(Past::kMissing);
  world.wishes.asked_for = false;
  world.Run(kHourMs);
  EXPECT_EQ(world.keeper->view().phase, Phase::kIdle);
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 0);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.state->clock_state, static_cast<uint64_t>(core::ClockState::kFollowsWall));
  EXPECT_TRUE(world.events.empty());
  world.source.past = Past::kNew;  // CREATE EXTENSION
  world.Start();
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
}

TEST(Keeper, IdleItFollowsTheWallClockBackAndForth) {
  World world(Past::kMissing);
  world.wishes.asked_for = false;
  for (const int64_t step_ms : {kHourMs, -2 * kHourMs, 365 * kMsPerDay, -364 * kMsPerDay}) {
    world.wall_ms += step_ms;
    world.Turn();
    EXPECT_EQ(world.AheadMs(), 0);
  }
}

TEST(Keeper, RunsFromAboveAnUncertainPastOnceIdsAreAskedFor) {
  for (const Past past : {Past::kMissing, Past::kDamaged, Past::kCopied, Past::kOtherSystem, Past::kPromoted}) {
    World world(past);
    const int64_t floor_ms = kNowMs + kMsPerMinute + kLeadMs;
    world.Start();
    EXPECT_TRUE(world.Published());
    EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 0) << "nobody waits for it";
    EXPECT_EQ(world.keeper->view().past, past);
    EXPECT_EQ(world.FirstIdMs(), floor_ms);
    EXPECT_EQ(world.Count(Event::Kind::kPastUncertain), 1);
    EXPECT_EQ(world.Last(Event::Kind::kPastUncertain).past, past);
    EXPECT_EQ(world.Last(Event::Kind::kPastUncertain).floor_ms, floor_ms);
  }
}

TEST(Keeper, GoesBelowNoReadableRecordOfAnUncertainPast) {
  World world(Past::kDamaged, kNowMs + kHourMs);
  world.Run(kLeadMs - 1);
  EXPECT_EQ(world.keeper->view().verdict, Verdict::kFloorAhead) << "and waits for it";
  world.Run(1);
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.FirstIdMs(), kNowMs + kHourMs);
}

TEST(Keeper, StartsAtTheFloorAndNotAtTheClock) {
  World world(Past::kKnown, kNowMs + 30000);
  world.Start();
  EXPECT_EQ(world.keeper->view().floor_ms, kNowMs + 30000);
  EXPECT_EQ(world.FirstIdMs(), kNowMs + 30000);
  EXPECT_EQ(core::FindOrMakeLine<core::PlainMemory>(*world.state, kTenMs)->next,
            core::PositionAt(kTenMs, kNowMs + 30000));
}

TEST(Keeper, StartsAtTheClockIfThatIsPastTheFloor) {
  World world(Past::kKnown, kNowMs - 1);
  world.Start();
  EXPECT_EQ(world.FirstIdMs(), kNowMs);
}

TEST(Keeper, RaisesTheIdClockToTheFloorAndSlewsIt) {
  World world(Past::kKnown, kNowMs + 30000);
  world.Start();
  EXPECT_EQ(world.AheadMs(), 30000);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + 30000 + kLeadMs);
  EXPECT_EQ(world.Reserve(1, 4096 * 500).count, 4096u * 500) << "nobody waits for the wall clock";
  world.Run(100 * kMsPerSecond);
  EXPECT_NEAR(static_cast<double>(world.AheadMs()), 20000, 10);
  EXPECT_EQ(world.keeper->view().clock_ahead_us / kUsPerMs, world.AheadMs());
  world.Run(300 * kMsPerSecond);
  EXPECT_EQ(world.AheadMs(), 0);
}

TEST(Keeper, RunsAtOnceFromAFloorAMinuteAhead) {
  World world(Past::kKnown, kNowMs + kMsPerMinute);
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 0);
}

TEST(Keeper, WaitsForAFloorFurtherAheadUntilItIsAMinute) {
  World world(Past::kKnown, kNowMs + kMsPerMinute + 1000);
  world.Run(999);
  EXPECT_FALSE(world.Published());
  world.Pass(1);
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.FirstIdMs(), kNowMs + kMsPerMinute + 1000);
}

TEST(Keeper, WaitsAtMostMaxAheadAndTheWindow) {
  World world(Past::kKnown, kNowMs + kHourMs);
  world.Run(kLeadMs - 1);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.keeper->view().phase, Phase::kWaiting);
  EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 1);
  EXPECT_EQ(world.Last(Event::Kind::kHeldBack).verdict, Verdict::kFloorAhead);
  world.Pass(1);
  world.Start();
  EXPECT_EQ(world.FirstIdMs(), kNowMs + kHourMs);
  EXPECT_EQ(world.AheadMs(), kHourMs - kLeadMs);
}

TEST(Keeper, WhileItWaitsNothingMovesButTheClock) {
  World world(Past::kKnown, kNowMs + kHourMs);
  const auto nothing_moved = [&world] {
    return world.AheadMs() == 0 && world.line.next == 0 && world.state->floor_ms == 0 && !world.Published() &&
           world.Asked(SourceRequest::Kind::kRaise) == 0;
  };
  world.Run(kLeadMs / 3);
  EXPECT_TRUE(nothing_moved());
  world.wall_ms -= 20000;
  world.Run(kLeadMs / 3);
  EXPECT_TRUE(nothing_moved()) << "a clock set back while waiting is followed";
  world.wall_ms += 30000;
  world.Turn();
  EXPECT_TRUE(nothing_moved());
}

TEST(Keeper, RefusesAFloorMoreThanADayAhead) {
  World world(Past::kKnown, kNowMs + kMsPerDay + 2 * kHourMs);
  world.Run(kHourMs);
  EXPECT_EQ(world.keeper->view().phase, Phase::kRefused);
  EXPECT_EQ(world.keeper->view().verdict, Verdict::kFloorFarAhead);
  EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 1);
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 0);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kNoIdentity);
}

TEST(Keeper, ARefusedFloorIsUsedOnceTheClockIsCorrected) {
  World world(Past::kKnown, kNowMs + 2 * kMsPerDay);
  world.Run(kMsPerMinute);
  world.wall_ms += 2 * kMsPerDay;
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
}

TEST(Keeper, ARefusedFloorIsGivenUpWhenTheOperatorSaysSo) {
  const int64_t floor_ms = kNowMs + 2 * kMsPerDay;
  World world(Past::kKnown, floor_ms);
  world.Run(kMsPerMinute);
  world.wishes.forget_floor = true;
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.AheadMs(), 0);
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
  EXPECT_EQ(world.source.ceiling_ms, world.wall_ms + kLeadMs);
  EXPECT_EQ(world.Count(Event::Kind::kFloorForgotten), 1);
  EXPECT_EQ(world.Last(Event::Kind::kFloorForgotten).floor_ms, floor_ms);
}

TEST(Keeper, AFloorInUseIsNotGivenUp) {
  World world(Past::kKnown, kNowMs + 30000);
  world.wishes.forget_floor = true;
  world.Start();
  EXPECT_EQ(world.FirstIdMs(), kNowMs + 30000);
  EXPECT_EQ(world.Count(Event::Kind::kFloorForgotten), 0);
}

TEST(Keeper, AWallClockFarPastTheFloorMustPersist) {
  World world(Past::kKnown, kNowMs - 31 * kMsPerDay);
  world.Run(29999);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.keeper->view().verdict, Verdict::kClockFarAhead);
  EXPECT_EQ(world.Last(Event::Kind::kHeldBack).verdict, Verdict::kClockFarAhead);
  world.Pass(1);
  world.Start();
  EXPECT_EQ(world.FirstIdMs(), kNowMs + 30000);
}

TEST(Keeper, AWallClockTenYearsAheadAtTheStartLeavesNoTraceOnceCorrected) {
  World world(Past::kKnown, kNowMs - kMsPerMinute);
  world.wall_ms += 3650 * kMsPerDay;
  world.Run(20000);
  EXPECT_FALSE(world.Published());
  world.wall_ms -= 3650 * kMsPerDay;
  world.Start();
  EXPECT_EQ(world.FirstIdMs(), kNowMs + 20000);
  EXPECT_EQ(world.source.ceiling_ms, kNowMs + 20000 + kLeadMs);
}

TEST(Keeper, GivingUpAFloorDoesNotSettleADoubtedClock) {
  World world(Past::kKnown, kNowMs - 31 * kMsPerDay);
  world.wishes.forget_floor = true;
  world.Run(29999);
  EXPECT_FALSE(world.Published());
}

// After the id clock was raised, every line is folded; only then is the identity published.
TEST(Keeper, RaisesTheClockThenFoldsThenPublishes) {
  World world(Past::kKnown, kNowMs + 30000);
  world.Turn();
  std::vector<Step> steps;
  const Hook hook([&](Step step) {
    const bool telling = step == Step::kSetClock || step == Step::kSetFloor || step == Step::kFold;
    if (telling || (step == Step::kPublish && world.line.next != 0)) steps.push_back(step);
    if (step == Step::kSetFloor) {
      EXPECT_EQ(world.AheadMs(), 30000);
    }
  });
  world.Start();
  ASSERT_TRUE(world.Published());
  const auto first = [&steps](Step step) { return std::find(steps.begin(), steps.end(), step); };
  EXPECT_LT(first(Step::kSetFloor), first(Step::kFold));
  EXPECT_LT(first(Step::kFold), first(Step::kPublish));
  EXPECT_NE(first(Step::kPublish), steps.end());
}

TEST(Keeper, EveryLineIsAtTheFloorWhenTheIdentityAppears) {
  World world(Past::kKnown, kNowMs + 30000);
  core::Line* other = core::FindOrMakeLine<core::PlainMemory>(*world.state, kOneSecond);
  int published = 0;
  const Hook hook([&](Step step) {
    if (step != Step::kPublish || world.Asked(SourceRequest::Kind::kRaise) == 0) return;
    ++published;
    EXPECT_EQ(world.line.next, core::PositionAt(core::kDefaultLayout, kNowMs + 30000));
    EXPECT_EQ(other->next, core::PositionAt(kOneSecond, kNowMs + 30000));
    EXPECT_EQ(world.AheadMs(), 30000);
  });
  world.Start();
  EXPECT_GT(published, 0);
}

}  // namespace
}  // namespace idgen::lease
