// Division and milliseconds on both sides of zero.
#include "core/time.h"

#include <gtest/gtest.h>

namespace idgen::core {
namespace {

TEST(Time, DivisionRoundsTowardsMinusInfinity) {
  EXPECT_EQ(FloorDiv(29, 10), 2);
  EXPECT_EQ(FloorDiv(30, 10), 3);
  EXPECT_EQ(FloorDiv(0, 10), 0);
  EXPECT_EQ(FloorDiv(-1, 10), -1);
  EXPECT_EQ(FloorDiv(-10, 10), -1);
  EXPECT_EQ(FloorDiv(-11, 10), -2);
}

TEST(Time, AMicrosecondBeforeZeroIsInTheMillisecondBeforeZero) {
  EXPECT_EQ(MsOf(0), 0);
  EXPECT_EQ(MsOf(999), 0);
  EXPECT_EQ(MsOf(1000), 1);
  EXPECT_EQ(MsOf(-1), -1);
  EXPECT_EQ(MsOf(-1000), -1);
  EXPECT_EQ(MsOf(-1001), -2);
}

TEST(Time, UnitsAgreeWithEachOther) {
  EXPECT_EQ(kUsPerSecond, kMsPerSecond * kUsPerMs);
  EXPECT_EQ(kMsPerDay, 86400 * kMsPerSecond);
}

}  // namespace
}  // namespace idgen::core
