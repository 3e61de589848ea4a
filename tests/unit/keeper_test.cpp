// The keeper holding an identity: raising its ceiling, changing its worker, following the clock.
#include "lease/keeper.h"

#include <gtest/gtest.h>

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

TEST(Keeper, RaisesTheCeilingWhenHalfTheWindowIsUsed) {
  World world;
  world.Start();
  world.Pass(kWindowMs / 2);
  world.Turn();
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 1);
  world.Pass(1);
  world.Turn();
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 2);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kWindowMs / 2 + 1 + kLeadMs);
}

TEST(Keeper, KeepsIdsFlowingForADay) {
  World world;
  world.Start();
  for (int minutes = 0; minutes < 24 * 60; ++minutes) {
    world.Run(kMsPerMinute);
    ASSERT_EQ(world.FirstIdMs(), world.wall_ms);
  }
  EXPECT_EQ(world.Count(Event::Kind::kPublished), 1);
  EXPECT_EQ(world.events.size(), 1u);
}

// Ids that run ahead must not push their own limit.
TEST(Keeper, DerivesTheCeilingFromTheIdClockAndNotFromTheIds) {
  World world;
  world.Start();
  for (int i = 0; i < 20; ++i) {
    world.UseUp();
    world.Run(kMsPerSecond);
    ASSERT_LE(world.Published().ceiling_ms(), world.IdClockMs() + kLeadMs);
  }
}

TEST(Keeper, KeepsTheOldCeilingWhileARaiseFails) {
  World world;
  world.Start();
  world.source.error = ENOSPC;
  world.Run(kLeadMs - 1);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
  world.Run(1);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
  EXPECT_EQ(world.keeper->view().ceiling_ms, kNowMs + kLeadMs);
  EXPECT_EQ(world.keeper->view().source_error, ENOSPC);
  EXPECT_GT(world.Asked(SourceRequest::Kind::kRaise), 20) << "it tries again and again";
  EXPECT_EQ(world.Count(Event::Kind::kSourceFailed), 1);

  world.source.error = 0;
  world.Run(kMsPerSecond);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
  EXPECT_EQ(world.Count(Event::Kind::kSourceRecovered), 1);
  EXPECT_EQ(world.keeper->view().source_error, 0);
  EXPECT_EQ(world.Count(Event::Kind::kPublished), 1);
}

TEST(Keeper, KeepsTheOldCeilingWhileARaiseIsUnanswered) {
  World world;
  world.Start();
  world.source.silent = true;
  world.Run(kHourMs);
  EXPECT_EQ(world.Asked(SourceRequest::Kind::kRaise), 2);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
  EXPECT_EQ(world.AheadMs(), 0) << "the clock is followed meanwhile";
}

TEST(Keeper, PublishesTheSettingsAtEveryTurn) {
  World world;
  world.Start();
  EXPECT_EQ(world.state->max_ahead_ms, static_cast<uint64_t>(kMaxAheadMs));
  EXPECT_EQ(world.state->block_size, 256u);
  world.wishes.settings.max_ahead_ms = 5;
  world.wishes.settings.block_size = 1;
  world.Turn();
  EXPECT_EQ(world.state->max_ahead_ms, 5u);
  EXPECT_EQ(world.state->block_size, 1u);
}

TEST(Keeper, AWiderWindowRaisesTheCeilingAtOnce) {
  World world;
  world.Start();
  world.wishes.settings.window_ms = kHourMs;
  world.Turn();
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kMaxAheadMs + kHourMs);
}

TEST(Keeper, ANarrowerWindowLowersNothing) {
  World world;
  world.Start();
  world.wishes.settings.window_ms = 1000;
  world.Run(8000);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
  for (const SourceRequest& request : world.source.requests)
    EXPECT_TRUE(request.ceiling_ms == 0 || request.ceiling_ms >= kNowMs + kLeadMs);
}

TEST(Keeper, AChangeOfWorkerWithdrawsSealsAndPublishes) {
  World world;
  world.Start();
  const core::Position last = world.Reserve().start;
  std::vector<Step> steps;
  world.wishes.worker = 6;
  {
    const Hook hook([&](Step step) {
      if (step == Step::kWithdraw || step == Step::kSeal) steps.push_back(step);
      if (step == Step::kPublish && !steps.empty()) steps.push_back(step);
      if (step == Step::kSeal) {
        EXPECT_FALSE(world.Published());
      }
    });
    world.Turn();
  }
  EXPECT_EQ(steps, (std::vector{Step::kWithdraw, Step::kSeal, Step::kSeal, Step::kPublish}));
  EXPECT_EQ(world.Published().worker(), 6u);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
  EXPECT_EQ(world.Reserve().start, core::NextTick(core::kDefaultLayout, last + 1));
  EXPECT_EQ(world.Count(Event::Kind::kWorkerChanged), 1);
  EXPECT_TRUE(world.Last(Event::Kind::kWorkerChanged).has_worker);
  EXPECT_EQ(world.Last(Event::Kind::kWorkerChanged).worker, 6u);
}

TEST(Keeper, WithoutAWorkerThereIsNoIdentity) {
  World world;
  world.Start();
  world.wishes.has_worker = false;
  world.Turn();
  EXPECT_FALSE(world.Published());
  EXPECT_FALSE(world.Last(Event::Kind::kWorkerChanged).has_worker);
  world.Run(kMsPerMinute);
  EXPECT_FALSE(world.Published()) << "a raise publishes nothing either";
  world.wishes.has_worker = true;
  world.Turn();
  EXPECT_EQ(world.Published().worker(), 5u);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(Keeper, AWorkerMayAppearAfterTheStart) {
  World world;
  world.wishes.has_worker = false;
  world.Run(kMsPerSecond);
  EXPECT_FALSE(world.Published());
  world.wishes.has_worker = true;
  world.Turn();
  EXPECT_EQ(world.Published().worker(), 5u);
}

TEST(Keeper, AClockSetBackCostsNoIdAndNoOutage) {
  World world;
  world.Start();
  core::Position last = world.Reserve().start;
  world.wall_ms -= kHourMs;
  for (int i = 0; i < 200; ++i) {
    world.Run(100);
    const core::Reservation next = world.Reserve();
    ASSERT_EQ(next.outcome, ReservationOutcome::kOk);
    ASSERT_GT(next.start, last);
    last = next.start;
  }
  EXPECT_EQ(world.Count(Event::Kind::kClockBack), 1);
  EXPECT_EQ(world.Last(Event::Kind::kClockBack).by_us, kHourMs * kUsPerMs);
  EXPECT_EQ(world.AheadMs(), kHourMs - 10000);
}

TEST(Keeper, AClockThatIsWrongByTenYearsForASecondChangesNothing) {
  World world;
  world.Start();
  world.wall_ms += 3650 * kMsPerDay;
  world.Run(kMsPerSecond);
  world.wall_ms -= 3650 * kMsPerDay;
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.AheadMs(), 0);
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
  EXPECT_LE(world.source.ceiling_ms, world.wall_ms + kLeadMs);
  EXPECT_EQ(world.Count(Event::Kind::kClockStepHeld), 1);
  EXPECT_EQ(world.Count(Event::Kind::kClockStepTaken), 0);
}

TEST(Keeper, ALargeStepThatPersistsIsTaken) {
  World world;
  world.Start();
  world.wall_ms += kMsPerDay;
  world.Run(29999);
  EXPECT_LT(world.AheadMs(), 0);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk) << "ids flow meanwhile";
  world.Run(1);
  EXPECT_EQ(world.AheadMs(), 0);
  EXPECT_EQ(world.Count(Event::Kind::kClockStepHeld), 1);
  EXPECT_EQ(world.Count(Event::Kind::kClockStepTaken), 1);
  EXPECT_EQ(world.Last(Event::Kind::kClockStepTaken).by_us, kMsPerDay * kUsPerMs);
  world.Turn();
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
}

TEST(Keeper, ASmallStepForwardIsTakenAtOnceWithItsCeiling) {
  World world;
  world.Start();
  world.wall_ms += kMsPerMinute;
  world.Turn();
  EXPECT_EQ(world.FirstIdMs(), kNowMs + kMsPerMinute);
  EXPECT_EQ(world.Count(Event::Kind::kClockForward), 1);
  EXPECT_EQ(world.Last(Event::Kind::kClockForward).by_us, kMsPerMinute * kUsPerMs);
}

}  // namespace
}  // namespace idgen::lease
