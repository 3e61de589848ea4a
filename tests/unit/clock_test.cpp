// The machine's clocks.
#include "io/clock.h"

#include <gtest/gtest.h>

namespace idgen::io {
namespace {

TEST(Clock, TheBootClockDoesNotGoBack) {
  const int64_t before_us = BootUs();
  const core::Instant now = ReadInstant();
  EXPECT_LE(before_us, now.boot_us);
  EXPECT_LE(now.boot_us, BootUs());
}

TEST(Clock, TheCoarseClockDoesNotGoBack) {
  const int64_t before_ns = CoarseNs();
  EXPECT_LE(before_ns, CoarseNs());
}

TEST(Clock, TheWallClockCountsMicrosecondsSince1970) {
  EXPECT_GT(WallUs(), int64_t{1704067200} * core::kUsPerSecond);   // 2024
  EXPECT_LT(WallUs(), int64_t{16725225600} * core::kUsPerSecond);  // 2500
}

}  // namespace
}  // namespace idgen::io
