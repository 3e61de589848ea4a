// The keeper stopping, and who comes after it: a server on the same file, a worker on the same shared memory.
#include "lease/keeper.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "keeper_world.h"

namespace idgen::lease {
namespace {

using core::kMsPerDay;
using core::kMsPerMinute;
using core::ReservationOutcome;
using core::Step;

TEST(Keeper, AStopWithdrawsSealsAndThenReleases) {
  World world;
  world.Start();
  world.Reserve();
  world.wishes.stop = true;
  std::vector<Step> steps;
  SourceRequest request;
  {
    const Hook hook([&](Step step) {
      if (step == Step::kWithdraw || step == Step::kSeal || step == Step::kLoadNext) steps.push_back(step);
    });
    request = world.keeper->Advance(world.Now(), world.wishes);
  }
  EXPECT_EQ(steps, (std::vector{Step::kWithdraw, Step::kSeal, Step::kSeal, Step::kLoadNext}));
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(request.kind, SourceRequest::Kind::kRelease);
  EXPECT_EQ(world.keeper->view().phase, Phase::kReleasing);
  EXPECT_FALSE(world.keeper->stopped());
}

TEST(Keeper, AStopReleasesDownToWhatWasReserved) {
  World world;
  world.Start();
  world.Pass(700);
  world.Turn();
  const core::Reservation last = world.Reserve(1, 10);
  world.wishes.stop = true;
  world.Turn();
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_EQ(world.source.ceiling_ms, kNowMs + 701);
  EXPECT_GE(core::PositionAt(world.line.layout, world.source.ceiling_ms), last.start + last.count);
  EXPECT_EQ(world.Last(Event::Kind::kReleased).floor_ms, kNowMs + 701);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kNoIdentity);
}

// Or else the next start would take a server that nobody asked for ids for one that was down, and doubt its clock.
TEST(Keeper, AServerThatWasUpForLongWithoutAnIdStartsAtOnceAfterACleanRestart) {
  World world;
  world.Start();
  for (int hour = 0; hour < 40 * 24; ++hour) {
    world.Pass(kMsPerDay / 24);
    world.Run(1000);
  }
  world.wishes.stop = true;
  world.Turn();
  World restarted(world.source.past, world.source.ceiling_ms);
  restarted.Pass(world.wall_ms - restarted.wall_ms);
  restarted.Start();
  EXPECT_TRUE(restarted.Published()) << "held back by the floor " << world.source.ceiling_ms;
}

TEST(Keeper, AStopReleasesToTheFloorIfNothingWasReserved) {
  World world(Past::kKnown, kNowMs + 30000);
  core::FindOrMakeLine<core::PlainMemory>(*world.state, kOneSecond);
  world.Start();
  world.wishes.stop = true;
  world.Turn();
  EXPECT_GE(world.source.ceiling_ms, kNowMs + 30000);
  EXPECT_LE(world.source.ceiling_ms, kNowMs + 31000) << "sealing costs a tick";
}

TEST(Keeper, AStopNeverReleasesAboveTheCeiling) {
  World world;
  core::Line* other = core::FindOrMakeLine<core::PlainMemory>(*world.state, kOneSecond);
  world.Start();
  other->next = core::PositionAt(kOneSecond, kNowMs + kLeadMs + 5000);
  world.wishes.stop = true;
  world.Turn();
  EXPECT_EQ(world.source.ceiling_ms, kNowMs + kLeadMs);
}

TEST(Keeper, AStopThatCannotBeWrittenStopsAnyway) {
  World world;
  world.Start();
  world.source.error = EIO;
  world.wishes.stop = true;
  world.Turn();
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.source.ceiling_ms, kNowMs + kLeadMs);
  EXPECT_EQ(world.Count(Event::Kind::kReleased), 0);
}

TEST(Keeper, AStopDoesNotWaitForARaiseInProgress) {
  World world;
  world.Start();
  world.source.silent = true;
  world.Pass(kWindowMs);
  world.Turn();
  ASSERT_EQ(world.source.requests.back().kind, SourceRequest::Kind::kRaise);
  world.wishes.stop = true;
  world.Turn();
  EXPECT_FALSE(world.Published());
  EXPECT_FALSE(world.keeper->stopped());
  EXPECT_EQ(world.source.requests.back().kind, SourceRequest::Kind::kRelease);
  world.Turn();
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRelease), 1);
  world.source.silent = false;
  world.TakeAnswers();
  EXPECT_TRUE(world.keeper->stopped());
}

TEST(Keeper, AStopWithoutAnIdentityAsksForNothing) {
  World idle(Past::kMissing);
  idle.wishes.asked_for = false;
  idle.Turn();
  World waiting(Past::kKnown, kNowMs + kHourMs);
  waiting.Start();
  World refused(Past::kKnown, kNowMs + 2 * kMsPerDay);
  refused.Start();
  World fresh;
  for (World* world : {&idle, &waiting, &refused, &fresh}) {
    const size_t asked = world->source.requests.size();
    world->wishes.stop = true;
    world->Turn();
    EXPECT_TRUE(world->keeper->stopped());
    EXPECT_EQ(world->source.requests.size(), asked);
  }
  EXPECT_EQ(waiting.source.ceiling_ms, kNowMs + kHourMs);
}

TEST(Keeper, AStoppedKeeperStaysStopped) {
  World world;
  world.Start();
  world.wishes.stop = true;
  world.Turn();
  const size_t asked = world.source.requests.size();
  for (const bool stop : {true, false}) {
    world.wishes.stop = stop;
    world.Run(kMsPerMinute);
  }
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.source.requests.size(), asked);
}

TEST(Keeper, ACleanRestartContinuesWithoutAWaitOrARepeat) {
  World world;
  world.Start();
  const core::Reservation last = world.Reserve(1, 100);
  world.wishes.stop = true;
  world.Turn();

  World restarted(world.source.past, world.source.ceiling_ms);
  restarted.Start();
  EXPECT_GE(restarted.Reserve().start, last.start + last.count);
  EXPECT_LE(restarted.AheadMs(), 1);
}

// Its release must not turn the clock's plausibility against it: nothing was issued, so there is nothing to be above.
TEST(Keeper, AServerThatIssuedNothingStartsAtOnceAfterACleanRestart) {
  World world;
  world.Run(kMsPerMinute);
  world.wishes.stop = true;
  world.Turn();

  World restarted(world.source.past, world.source.ceiling_ms);
  restarted.Start();
  EXPECT_TRUE(restarted.Published()) << "held back by the floor " << world.source.ceiling_ms;
}

TEST(Keeper, ACrashedServersSuccessorStartsAtItsCeiling) {
  World world;
  world.Start();
  world.UseUp();
  World successor(world.source.past, world.source.ceiling_ms);
  successor.Start();
  EXPECT_EQ(successor.FirstIdMs(), kNowMs + kLeadMs);
  EXPECT_GE(successor.line.next, world.line.next);
}

TEST(Keeper, ASecondKeeperContinuesWithAPublishedIdentity) {
  World world;
  world.Start();
  const core::Reservation last = world.Reserve(1, 10);
  world.wall_ms -= kHourMs;
  world.Turn();
  const int64_t ahead_ms = world.AheadMs();
  world.RestartKeeper();
  EXPECT_EQ(world.keeper->view().phase, Phase::kHolding);
  EXPECT_EQ(world.keeper->view().ceiling_ms, kNowMs + kLeadMs);
  world.Turn();
  EXPECT_EQ(world.Published().worker(), 5u);
  EXPECT_EQ(world.AheadMs(), ahead_ms) << "the id clock goes on";
  EXPECT_EQ(world.Reserve().start, last.start + last.count);
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kClaim), 1) << "it has the floor already";
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(Keeper, ASecondKeeperChangesAPublishedWorker) {
  World world;
  world.Start();
  const core::Position last = world.Reserve().start;
  world.RestartKeeper();
  world.wishes.worker = 6;
  world.Turn();
  EXPECT_EQ(world.Published().worker(), 6u);
  EXPECT_GE(world.Reserve().start, core::NextTick(core::kDefaultLayout, last + 1));
}

TEST(Keeper, ASecondKeeperReleasesAPublishedIdentity) {
  World world(Past::kKnown, kNowMs + 30000);
  world.Start();
  world.RestartKeeper();
  world.wishes.stop = true;
  world.Turn();
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_GE(world.source.ceiling_ms, kNowMs + 30000);
  EXPECT_LE(world.source.ceiling_ms, kNowMs + 30001);
}

// The worker was stopped and started again while the wall clock was an hour back: the ids are at their id clock.
TEST(Keeper, ASecondKeeperRunsAtOnceFromAFloorThatTheIdClockHasReached) {
  World world;
  world.Start();
  world.Pass(kMsPerMinute);
  world.Turn();
  world.wall_ms -= kHourMs;
  world.Turn();
  const core::Reservation last = world.Reserve(1, 10);
  world.Pass(5);
  world.wishes.stop = true;
  world.Turn();
  EXPECT_GT(world.source.ceiling_ms, world.wall_ms + kMsPerMinute) << "too far ahead of the wall clock to run from";
  world.wishes.stop = false;
  world.RestartKeeper();
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_GE(world.Reserve().start, last.start + last.count);
  EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 0);
}

TEST(Keeper, ASecondKeeperWaitsForAFloorThatIsAheadOfTheIdClockToo) {
  World world;
  world.Start();
  world.wishes.stop = true;
  world.Turn();
  world.source.ceiling_ms = kNowMs + kHourMs;
  world.wishes.stop = false;
  world.RestartKeeper();
  world.Start();
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.keeper->view().verdict, Verdict::kFloorAhead);
}

}  // namespace
}  // namespace idgen::lease
