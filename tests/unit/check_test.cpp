// IDGEN_CHECK aborts in the tests; a condition that holds is evaluated once and costs nothing else.
#include "core/check.h"

#include <gtest/gtest.h>

namespace idgen::core {
namespace {

constexpr int Half(int number) noexcept {
  IDGEN_CHECK(number % 2 == 0);
  return number / 2;
}

TEST(Check, PassesWhenTheConditionHolds) {
  int evaluated = 0;
  IDGEN_CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(Check, HoldsInConstantExpressions) {
  static_assert(Half(4) == 2);
  EXPECT_EQ(Half(4), 2);
}

TEST(CheckDeathTest, AbortsAndNamesTheConditionAndTheFile) {
  EXPECT_EXIT(Half(3), testing::KilledBySignal(SIGABRT), "check failed: number % 2 == 0, file .*check_test.cpp");
}

}  // namespace
}  // namespace idgen::core
