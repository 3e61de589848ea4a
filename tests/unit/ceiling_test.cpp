// How high a ceiling is set, and when it is due.
#include "core/ceiling.h"

#include <gtest/gtest.h>

#include "core/position.h"
#include "support.h"

namespace idgen::core {
namespace {

constexpr CeilingRule kRule{.max_ahead_ms = 1000, .window_ms = 10000};

TEST(Ceiling, LiesMaxAheadAndAWindowAboveTheIdClock) { EXPECT_EQ(kRule.Target(0, kNowMs), kNowMs + 11000); }

TEST(Ceiling, IsNeverLowered) {
  EXPECT_EQ(kRule.Target(kNowMs + 11001, kNowMs), kNowMs + 11001);
  EXPECT_EQ(kRule.Target(kNowMs + 10999, kNowMs), kNowMs + 11000);
}

TEST(Ceiling, IsDueWhenHalfTheWindowIsUsedUp) {
  const int64_t ceiling_ms = kRule.Target(0, kNowMs);
  EXPECT_FALSE(kRule.Due(ceiling_ms, kNowMs));
  EXPECT_FALSE(kRule.Due(ceiling_ms, kNowMs + 5000));
  EXPECT_TRUE(kRule.Due(ceiling_ms, kNowMs + 5001));
}

TEST(Ceiling, IsDueIfThereIsNone) { EXPECT_TRUE(kRule.Due(0, kNowMs)); }

// A unit is at most window / 2 + max_ahead: as long as no raise is due, the running tick lies below the ceiling.
TEST(Ceiling, LeavesTheRunningTickOfTheLongestUnitUntilItIsDue) {
  Layout layout = kOneSecond;
  layout.unit_ms = kRule.window_ms / 2 + kRule.max_ahead_ms;
  for (int64_t start_ms = kNowMs; start_ms < kNowMs + layout.unit_ms; start_ms += 7) {
    const int64_t ceiling_ms = kRule.Target(0, start_ms);
    const int64_t last_ms = start_ms + kRule.window_ms / 2;
    ASSERT_FALSE(kRule.Due(ceiling_ms, last_ms));
    ASSERT_GT(PositionAt(layout, ceiling_ms), PositionAt(layout, last_ms));
  }
}

}  // namespace
}  // namespace idgen::core
