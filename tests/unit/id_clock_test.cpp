// The id clock: what the wall clock may do to it.
#include "core/id_clock.h"

#include <gtest/gtest.h>

namespace idgen::core {
namespace {

constexpr int64_t kBootUs = 5000 * kUsPerSecond;
constexpr int64_t kWallUs = 1767225600 * kUsPerSecond;
constexpr int64_t kStepMs = 60000;
constexpr int64_t kTenYearsUs = 3650 * kMsPerDay * kUsPerMs;
constexpr ClockRules kRules{.max_ahead_ms = 1000, .max_clock_step_ms = kStepMs};

// A machine's two clocks and the id clock that follows them.
struct Machine {
  Machine() { clock.StartAtWall(now); }

  IdClock::Seen Pass(int64_t us) {
    now.boot_us += us;
    now.wall_us += us;
    return clock.Follow(now, kRules);
  }
  IdClock::Seen Step(int64_t us) {
    now.wall_us += us;
    return clock.Follow(now, kRules);
  }
  int64_t Ahead() const { return clock.AheadOfWallUs(now); }

  Instant now{.boot_us = kBootUs, .wall_us = kWallUs};
  IdClock clock;
};

TEST(IdClock, StartsAtTheWallClockAndCountsWithTheBootClock) {
  Machine machine;
  EXPECT_EQ(machine.clock.NowUs(machine.now), kWallUs);
  EXPECT_EQ(machine.clock.offset_us(), kWallUs - kBootUs);
  EXPECT_EQ(machine.clock.NowUs({.boot_us = kBootUs + 7, .wall_us = 0}), kWallUs + 7);
}

TEST(IdClock, TakesAStepForwardUpToTheLimitAtOnce) {
  Machine machine;
  const IdClock::Seen seen = machine.Step(kStepMs * kUsPerMs);
  EXPECT_EQ(machine.Ahead(), 0);
  EXPECT_EQ(seen.forward_us, kStepMs * kUsPerMs);
  EXPECT_FALSE(seen.held || seen.taken);
}

TEST(IdClock, HoldsAStepForwardBeyondTheLimit) {
  Machine machine;
  const IdClock::Seen seen = machine.Step(kStepMs * kUsPerMs + 1);
  EXPECT_TRUE(seen.held);
  EXPECT_TRUE(machine.clock.holds_a_step());
  EXPECT_EQ(machine.clock.NowUs(machine.now), kWallUs);
  EXPECT_EQ(machine.Ahead(), -(kStepMs * kUsPerMs + 1));
}

TEST(IdClock, TenYearsForOneSecondChangeNothing) {
  Machine machine;
  machine.Step(kTenYearsUs);
  for (int i = 0; i < 10; ++i) {
    machine.Pass(kUsPerSecond / 10);
    ASSERT_EQ(machine.clock.offset_us(), kWallUs - kBootUs);
  }
  machine.Step(-kTenYearsUs);
  EXPECT_EQ(machine.clock.offset_us(), kWallUs - kBootUs);
  EXPECT_FALSE(machine.clock.holds_a_step());
}

TEST(IdClock, TakesALargeStepOnceItHasPersisted) {
  Machine machine;
  EXPECT_TRUE(machine.Step(kTenYearsUs).held);
  EXPECT_FALSE(machine.Pass(kPersistUs - 1).taken);
  EXPECT_EQ(machine.clock.offset_us(), kWallUs - kBootUs);
  EXPECT_TRUE(machine.Pass(1).taken);
  EXPECT_EQ(machine.Ahead(), 0);
  EXPECT_FALSE(machine.clock.holds_a_step());
}

TEST(IdClock, ALargeStepThatWandersStartsItsWaitAgain) {
  Machine machine;
  machine.Step(kTenYearsUs);
  machine.Pass(kPersistUs - 1);
  machine.Step(kStepMs * kUsPerMs + 1);
  EXPECT_FALSE(machine.Pass(kPersistUs - 1).taken);
  EXPECT_TRUE(machine.Pass(1).taken);
}

TEST(IdClock, TwoLargeStepsDoNotShareTheirWait) {
  Machine machine;
  machine.Step(kTenYearsUs);
  machine.Pass(kPersistUs - 1);
  machine.Step(-kTenYearsUs);
  EXPECT_TRUE(machine.Step(kTenYearsUs).held);
  EXPECT_FALSE(machine.Pass(1).taken);
  EXPECT_TRUE(machine.Pass(kPersistUs - 1).taken);
}

TEST(IdClock, ReportsOnceThatAStepIsHeld) {
  Machine machine;
  EXPECT_TRUE(machine.Step(kTenYearsUs).held);
  EXPECT_FALSE(machine.Pass(kUsPerSecond).held);
}

TEST(IdClock, IsNotPulledBackAtOnce) {
  Machine machine;
  const int64_t before_us = machine.clock.NowUs(machine.now);
  const IdClock::Seen seen = machine.Step(-3600 * kUsPerSecond);
  EXPECT_EQ(machine.clock.NowUs(machine.now), before_us);
  EXPECT_EQ(seen.back_us, 3600 * kUsPerSecond);
  EXPECT_EQ(machine.Ahead(), 3600 * kUsPerSecond);
}

TEST(IdClock, IsSlewedByATenthOfTheElapsedTime) {
  Machine machine;
  machine.Step(-60 * kUsPerSecond);
  machine.Pass(kUsPerSecond);
  EXPECT_EQ(machine.Ahead(), 60 * kUsPerSecond - kUsPerSecond / 10);
  machine.Pass(kUsPerSecond / 2);
  EXPECT_EQ(machine.Ahead(), 60 * kUsPerSecond - kUsPerSecond * 3 / 20);
}

TEST(IdClock, IsSlewedByHalfOfTheElapsedTimeWhileAMinuteAhead) {
  Machine machine;
  machine.Step(-71 * kUsPerSecond);
  for (int i = 0; i < 44; ++i) machine.Pass(kUsPerSecond / 2);
  EXPECT_EQ(machine.Ahead(), 60 * kUsPerSecond);
  machine.Pass(kUsPerSecond / 2);
  EXPECT_EQ(machine.Ahead(), 60 * kUsPerSecond - kUsPerSecond / 20);
}

TEST(IdClock, IsSlewedByAtMostHalfOfMaxAhead) {
  for (const int64_t ahead_s : {60, 3600}) {
    Machine machine;
    machine.Step(-ahead_s * kUsPerSecond);
    machine.Pass(6 * kUsPerSecond);
    EXPECT_EQ(machine.Ahead(), ahead_s * kUsPerSecond - 500 * kUsPerMs);
    machine.Pass(3600 * kUsPerSecond);
    EXPECT_EQ(machine.Ahead(), ahead_s * kUsPerSecond - 1000 * kUsPerMs);
  }
}

TEST(IdClock, IsSlewedDownToTheWallClockAndNoFurther) {
  Machine machine;
  machine.Step(-50 * kUsPerMs);
  machine.Pass(kUsPerSecond);
  EXPECT_EQ(machine.Ahead(), 0);
}

TEST(IdClock, DoesNotSlewIfNoTimeHasPassed) {
  Machine machine;
  machine.Step(-kUsPerSecond);
  machine.Step(0);
  EXPECT_EQ(machine.Ahead(), kUsPerSecond);
  machine.Pass(-kUsPerSecond);  // a boot clock that went back
  EXPECT_EQ(machine.Ahead(), kUsPerSecond);
}

TEST(IdClock, NeverGoesBackWhateverTheWallClockDoes) {
  Machine machine;
  uint64_t random = 42;
  for (int i = 0; i < 20000; ++i) {
    random = random * 6364136223846793005 + 1442695040888963407;
    const int64_t before_us = machine.clock.NowUs(machine.now);
    const int64_t gone_us = static_cast<int64_t>(random >> 44);
    machine.now.boot_us += gone_us;
    machine.now.wall_us += gone_us;
    if (i % 7 == 0) machine.now.wall_us += static_cast<int64_t>(random >> 20 & 0xFFFFFFF) - 0x8000000;
    machine.clock.Follow(machine.now, kRules);
    ASSERT_GE(machine.clock.NowUs(machine.now), before_us + gone_us - gone_us / 2);
  }
}

TEST(IdClock, IsRaisedToAFloorAndNeverLoweredToOne) {
  Machine machine;
  machine.clock.RaiseTo(kWallUs + 9 * kUsPerSecond, machine.now);
  EXPECT_EQ(machine.Ahead(), 9 * kUsPerSecond);
  machine.clock.RaiseTo(kWallUs, machine.now);
  EXPECT_EQ(machine.Ahead(), 9 * kUsPerSecond);
}

TEST(IdClock, ContinuesWithAPublishedOffset) {
  Machine machine;
  machine.clock.Resume(kWallUs - kBootUs + 9 * kUsPerSecond, machine.now);
  EXPECT_EQ(machine.Ahead(), 9 * kUsPerSecond);
  const IdClock::Seen seen = machine.Pass(kUsPerSecond);
  EXPECT_EQ(seen.back_us, 0);
  EXPECT_EQ(machine.Ahead(), 9 * kUsPerSecond - kUsPerSecond / 10);
}

TEST(IdClock, ADifferenceOfTwoMillisecondsIsNoStep) {
  Machine machine;
  EXPECT_EQ(machine.Step(2 * kUsPerMs).forward_us, 0);
  EXPECT_EQ(machine.Step(-2 * kUsPerMs).back_us, 0);
  EXPECT_EQ(machine.Step(2 * kUsPerMs + 1).forward_us, 2 * kUsPerMs + 1);
  EXPECT_EQ(machine.Step(-2 * kUsPerMs - 1).back_us, 2 * kUsPerMs + 1);
}

TEST(Persistence, HoldsAfterThirtySecondsOfTheSameDifference) {
  Persistence persistence;
  EXPECT_FALSE(persistence.Holds(100, 0, 10));
  EXPECT_TRUE(persistence.pending());
  EXPECT_FALSE(persistence.Holds(110, 30 * kUsPerSecond - 1, 10));
  EXPECT_TRUE(persistence.Holds(90, 30 * kUsPerSecond, 10));
}

TEST(Persistence, StartsAgainWhenTheDifferenceChangesEitherWay) {
  for (const int64_t other : {111, 89}) {
    Persistence persistence;
    persistence.Holds(100, 0, 10);
    EXPECT_FALSE(persistence.Holds(other, kPersistUs, 10));
    EXPECT_EQ(persistence.since_boot_us(), kPersistUs);
    EXPECT_TRUE(persistence.Holds(other, 2 * kPersistUs, 10));
  }
}

TEST(Persistence, StartsAgainAfterItForgot) {
  Persistence persistence;
  persistence.Holds(100, 0, 10);
  persistence.Forget();
  EXPECT_FALSE(persistence.pending());
  EXPECT_FALSE(persistence.Holds(100, kPersistUs, 10));
}

// A clock daemon that slews by 500 ppm moves the wall clock by 15 ms while a step is waited out.
TEST(IdClock, TakesAPersistentStepThoughTheWallClockIsBeingSlewed) {
  constexpr ClockRules kNarrow{.max_ahead_ms = 1000, .max_clock_step_ms = 1};
  Machine machine;
  machine.now.wall_us += 3600 * kUsPerSecond;
  bool taken = false;
  for (int half_second = 0; half_second < 70 && !taken; ++half_second) {
    machine.now.boot_us += kUsPerSecond / 2;
    machine.now.wall_us += kUsPerSecond / 2 + 250;
    taken = machine.clock.Follow(machine.now, kNarrow).taken;
  }
  EXPECT_TRUE(taken);
}

}  // namespace
}  // namespace idgen::core
