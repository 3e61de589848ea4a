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

TEST(Layout, AFieldRefusesTheFirstValueThatNeedsAnotherBit) {
  EXPECT_TRUE(kDefaultLayout.worker.Fits(1023));
  EXPECT_FALSE(kDefaultLayout.worker.Fits(1024));
}

}  // namespace
}  // namespace idgen::core
