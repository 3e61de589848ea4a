// From which floor, and when a server may start from it: every limit at its edge.
#include "lease/start_rule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.h"

namespace idgen::lease {
namespace {

using core::kMsPerDay;
using core::kMsPerMinute;
using core::kUsPerMs;

constexpr StartRule kRule{.max_ahead_ms = 1000, .window_ms = 10000, .max_clock_step_ms = 60000};
constexpr int64_t kPatienceUs = 11000 * kUsPerMs;  // max_ahead + window
constexpr core::Instant kNow{.boot_us = 5000000, .wall_us = kNowMs * kUsPerMs};

constexpr Past kUncertain[] = {Past::kMissing,     Past::kDamaged,  Past::kCopied,
                               Past::kOtherSystem, Past::kPromoted, Past::kRestored};

Verdict CheckOnce(int64_t floor_ms, int64_t waited_us = 0, Past past = Past::kKnown) {
  core::Persistence wall;
  return kRule.Check(past, floor_ms, waited_us, kNow, wall);
}

TEST(StartRule, AKnownFloorIsTheRecordedCeiling) {
  EXPECT_EQ(kRule.FloorOf(Past::kKnown, kNowMs - kMsPerDay, kNowMs), kNowMs - kMsPerDay);
  EXPECT_EQ(kRule.FloorOf(Past::kKnown, kNowMs + kMsPerDay, kNowMs), kNowMs + kMsPerDay);
}

TEST(StartRule, ANewServersFloorIsTheWallClock) { EXPECT_EQ(kRule.FloorOf(Past::kNew, 0, kNowMs), kNowMs); }

TEST(StartRule, AnUncertainPastIsAssumedToLeadByAMinute) {
  for (const Past past : kUncertain) {
    const int64_t guess_ms = kNowMs + kMsPerMinute + 11000;
    EXPECT_EQ(kRule.FloorOf(past, 0, kNowMs), guess_ms);
    EXPECT_EQ(kRule.FloorOf(past, guess_ms - 1, kNowMs), guess_ms);
    EXPECT_EQ(kRule.FloorOf(past, guess_ms + 1, kNowMs), guess_ms + 1) << "no readable record is gone below";
  }
}

TEST(StartRule, StartsFromAFloorUpToAMinuteAhead) {
  EXPECT_EQ(CheckOnce(0), Verdict::kRun);
  EXPECT_EQ(CheckOnce(kNowMs), Verdict::kRun);
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerMinute), Verdict::kRun);
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerMinute + 1), Verdict::kFloorAhead);
}

TEST(StartRule, AnUncertainStartDoesNotWaitForItsOwnLead) {
  for (const Past past : kUncertain) {
    const int64_t floor_ms = kRule.FloorOf(past, 0, kNowMs);
    EXPECT_EQ(CheckOnce(floor_ms, 0, past), Verdict::kRun);
    EXPECT_EQ(CheckOnce(floor_ms + 1, 0, past), Verdict::kFloorAhead) << "a record is further ahead";
    EXPECT_EQ(CheckOnce(floor_ms + 1, kPatienceUs, past), Verdict::kRun);
  }
  EXPECT_EQ(CheckOnce(kRule.FloorOf(Past::kMissing, 0, kNowMs)), Verdict::kFloorAhead) << "a known one does";
}

// Crashes and promotions in any order, with no time between them: each start begins at the ceiling of the one before.
TEST(StartRule, NoStartLeadsByMoreThanAnUncertainOne) {
  int64_t lead_ms = 0, most_ms = 0;
  uint64_t random = 7;
  for (int i = 0; i < 1000; ++i) {
    random = random * 6364136223846793005 + 1442695040888963407;
    const Past past = (random >> 40) % 3 == 0 ? Past::kPromoted : Past::kKnown;
    const int64_t ceiling_lead_ms = lead_ms + kRule.max_ahead_ms + kRule.window_ms;
    int64_t floor_ms = kRule.FloorOf(past, kNowMs + ceiling_lead_ms, kNowMs);
    for (int64_t waited_ms = 0; CheckOnce(floor_ms, waited_ms * kUsPerMs, past) == Verdict::kFloorAhead;
         waited_ms += 10)
      floor_ms -= 10;
    lead_ms = floor_ms - kNowMs;
    ASSERT_LE(lead_ms, kRule.UncertainLeadMs()) << i;
    most_ms = std::max(most_ms, lead_ms);
  }
  EXPECT_EQ(most_ms, kRule.UncertainLeadMs());
}

TEST(StartRule, WaitsForMaxAheadAndTheWindowAndThenRuns) {
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerDay, kPatienceUs - 1), Verdict::kFloorAhead);
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerDay, kPatienceUs), Verdict::kRun);
}

TEST(StartRule, RefusesAFloorMoreThanADayAheadHoweverLongItWaited) {
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerDay), Verdict::kFloorAhead);
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerDay + 1), Verdict::kFloorFarAhead);
  EXPECT_EQ(CheckOnce(kNowMs + kMsPerDay + 1, 1000 * kPatienceUs), Verdict::kFloorFarAhead);
}

TEST(StartRule, DoubtsAWallClockMoreThanThirtyDaysPastTheFloor) {
  EXPECT_EQ(CheckOnce(kNowMs - 30 * kMsPerDay), Verdict::kRun);
  EXPECT_EQ(CheckOnce(kNowMs - 30 * kMsPerDay - 1), Verdict::kClockFarAhead);
}

TEST(StartRule, BelievesADoubtedWallClockThatHasPersisted) {
  core::Persistence wall;
  const int64_t floor_ms = kNowMs - 31 * kMsPerDay;
  core::Instant now = kNow;
  EXPECT_EQ(kRule.Check(Past::kKnown, floor_ms, 0, now, wall), Verdict::kClockFarAhead);
  now.boot_us += core::kPersistUs - 1;
  now.wall_us += core::kPersistUs - 1;
  EXPECT_EQ(kRule.Check(Past::kKnown, floor_ms, 0, now, wall), Verdict::kClockFarAhead);
  now.boot_us += 1;
  now.wall_us += 1;
  EXPECT_EQ(kRule.Check(Past::kKnown, floor_ms, 0, now, wall), Verdict::kRun);
}

TEST(StartRule, ADoubtedWallClockThatStepsStartsItsWaitAgain) {
  for (const int64_t step_us : {int64_t{1}, int64_t{-1}}) {
    core::Persistence wall;
    const int64_t floor_ms = kNowMs - 300 * kMsPerDay;
    core::Instant now = kNow;
    kRule.Check(Past::kKnown, floor_ms, 0, now, wall);
    now.boot_us += core::kPersistUs;
    now.wall_us += core::kPersistUs + step_us * (kRule.max_clock_step_ms * kUsPerMs + 1);
    EXPECT_EQ(kRule.Check(Past::kKnown, floor_ms, 0, now, wall), Verdict::kClockFarAhead);
  }
}

TEST(StartRule, ADoubtedWallClockThatWasPlausibleInBetweenStartsItsWaitAgain) {
  core::Persistence wall;
  const int64_t floor_ms = kNowMs - 31 * kMsPerDay;
  core::Instant now = kNow;
  kRule.Check(Past::kKnown, floor_ms, 0, now, wall);
  EXPECT_EQ(kRule.Check(Past::kKnown, floor_ms, 0, {.boot_us = now.boot_us, .wall_us = floor_ms * kUsPerMs}, wall),
            Verdict::kRun);
  now.boot_us += core::kPersistUs;
  now.wall_us += core::kPersistUs;
  EXPECT_EQ(kRule.Check(Past::kKnown, floor_ms, 0, now, wall), Verdict::kClockFarAhead);
}

}  // namespace
}  // namespace idgen::lease
