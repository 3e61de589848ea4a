// The default layout's shape, and fields.
#include "core/layout.h"

#include <gtest/gtest.h>

namespace idgen::core {
namespace {

TEST(Layout, DefaultUsesSixtyThreeBitsWithoutOverlap) {
  const Layout& layout = kDefaultLayout;
  const uint64_t time = layout.time.Put(layout.time.MaxValue());
  const uint64_t worker = layout.worker.Put(layout.worker.MaxValue());
  const uint64_t sequence = layout.sequence.Put(layout.sequence.MaxValue());
  EXPECT_EQ(time | worker | sequence, (uint64_t{1} << 63) - 1);
  EXPECT_EQ(time & worker, 0u);
  EXPECT_EQ(worker & sequence, 0u);
  EXPECT_EQ(time & sequence, 0u);
}

// Ids made with it are decoded for ever: a change to this test changes what stored ids mean.
TEST(Layout, DefaultNeverChanges) {
  EXPECT_EQ(kDefaultLayout.epoch_ms, 1704067200000);  // 2024-01-01 00:00 UTC
  EXPECT_EQ(kDefaultLayout.unit_ms, 1);
  EXPECT_EQ(kDefaultLayout.time, (Field{.shift = 22, .width = 41}));
  EXPECT_EQ(kDefaultLayout.worker, (Field{.shift = 12, .width = 10}));
  EXPECT_EQ(kDefaultLayout.sequence, (Field{.shift = 0, .width = 12}));
  EXPECT_FALSE(kDefaultLayout.region.Present());
  EXPECT_FALSE(kDefaultLayout.app.Present());
}

TEST(Layout, AFieldRefusesTheFirstValueThatNeedsAnotherBit) {
  EXPECT_TRUE(kDefaultLayout.worker.Fits(1023));
  EXPECT_FALSE(kDefaultLayout.worker.Fits(1024));
}

TEST(Layout, AFieldGetsBackWhatItPutAmongOtherBits) {
  const Field field{.shift = 12, .width = 10};
  EXPECT_EQ(field.Put(1023), 0x3FF000u);
  EXPECT_EQ(field.Get(field.Put(677) | ~field.Put(1023)), 677u);
}

TEST(Layout, AnAbsentFieldHoldsNothingButZero) {
  const Field absent;
  EXPECT_FALSE(absent.Present());
  EXPECT_TRUE(absent.Fits(0));
  EXPECT_FALSE(absent.Fits(1));
  EXPECT_EQ(absent.Get(~uint64_t{0}), 0u);
}

}  // namespace
}  // namespace idgen::core
