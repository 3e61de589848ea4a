// The identity word: ceiling and worker packed and unpacked.
#include "core/identity.h"

#include <gtest/gtest.h>

namespace idgen::core {
namespace {

TEST(Identity, TheWordZeroIsNone) {
  EXPECT_FALSE(Identity());
  EXPECT_FALSE(Identity(0));
  EXPECT_TRUE(Identity(1));
}

TEST(Identity, EveryIdentityIsDifferentFromNone) {
  EXPECT_TRUE(Identity::Of(0, 0));
  EXPECT_TRUE(Identity::Of(0, -1));
  EXPECT_TRUE(Identity::Of(0, 1));
}

TEST(Identity, TheWordCarriesWorkerAndCeiling) {
  for (const uint32_t worker : {0u, 1u, 1023u, kMaxWorker}) {
    for (const int64_t ceiling_ms : {int64_t{1}, int64_t{1767225600000}, kMaxCeilingMs}) {
      const Identity identity(Identity::Of(worker, ceiling_ms).word());
      EXPECT_EQ(identity.worker(), worker);
      EXPECT_EQ(identity.ceiling_ms(), ceiling_ms);
    }
  }
}

TEST(Identity, AWorkerThatDoesNotFitIsNoneInsteadOfAnother) {
  EXPECT_FALSE(Identity::Of(kMaxWorker + 1, 1767225600000));
}

TEST(Identity, ACeilingOutOfRangeIsClampedIntoIt) {
  EXPECT_EQ(Identity::Of(7, kMaxCeilingMs + 1).ceiling_ms(), kMaxCeilingMs);
  EXPECT_EQ(Identity::Of(7, INT64_MAX).ceiling_ms(), kMaxCeilingMs);
  EXPECT_EQ(Identity::Of(7, INT64_MIN).ceiling_ms(), 1);
  EXPECT_EQ(Identity::Of(7, INT64_MAX).worker(), 7u);
}

}  // namespace
}  // namespace idgen::core
