// What a sequencer is, and which values a granted step holds.
#include "sequencer/definition.h"

#include <gtest/gtest.h>

#include <vector>

namespace idgen::sequencer {
namespace {

std::vector<int64_t> ValuesOf(const Grant& grant) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < grant.count; ++i) values.push_back(grant.Value(i));
  return values;
}
using Values = std::vector<int64_t>;

TEST(SequenceDefinition, AcceptsValidDefinitions) {
  EXPECT_EQ(Validate({}), Fault::kNone);
  EXPECT_EQ(Validate({.start = 0, .step = 5, .max_value = 5}), Fault::kNone);
  EXPECT_EQ(Validate({.start = kMaxValue, .step = 1}), Fault::kNone);
  EXPECT_EQ(Validate({.start = 1, .step = kMaxValue}), Fault::kNone);
  EXPECT_EQ(Validate({.ttl_ms = kMaxTtlMs, .sliding = true}), Fault::kNone);
}

TEST(SequenceDefinition, RefusesInvalidDefinitions) {
  EXPECT_EQ(Validate({.step = 0}), Fault::kStep);
  EXPECT_EQ(Validate({.step = -1}), Fault::kStep);
  EXPECT_EQ(Validate({.step = INT64_MIN}), Fault::kStep);
  EXPECT_EQ(Validate({.start = -1}), Fault::kStart);
  EXPECT_EQ(Validate({.start = 10, .max_value = 9}), Fault::kMaxBelowStart);
  EXPECT_EQ(Validate({.start = 1, .step = 10, .max_value = 9}), Fault::kMaxBelowStep);
  EXPECT_EQ(Validate({.ttl_ms = -1}), Fault::kTtl);
  EXPECT_EQ(Validate({.ttl_ms = kMaxTtlMs + 1}), Fault::kTtl);
  EXPECT_EQ(Validate({.cache = 0}), Fault::kCache);
  EXPECT_EQ(Validate({.cache = 1000001}), Fault::kCache);
  EXPECT_EQ(Validate({.cache = 2}), Fault::kNone);
  EXPECT_EQ(Validate({.cycle = true, .cache = 2}), Fault::kSegments);
  EXPECT_EQ(Validate({.ttl_ms = 1000, .cache = 2}), Fault::kSegments);
}

TEST(SequenceDefinition, IsPlainIfAnIncrbyIsEnough) {
  EXPECT_TRUE(Definition{}.IsPlain());
  EXPECT_TRUE((Definition{.start = 7, .step = 7}.IsPlain()));
  EXPECT_FALSE((Definition{.start = 2}.IsPlain()));
  EXPECT_FALSE((Definition{.max_value = kMaxValue - 1}.IsPlain()));
  EXPECT_FALSE((Definition{.cycle = true}.IsPlain()));
  EXPECT_FALSE((Definition{.ttl_ms = 1}.IsPlain()));
}

TEST(SequenceDefinition, CountsItsValues) {
  EXPECT_EQ(CountOf({}), kMaxValue);
  EXPECT_EQ(CountOf({.start = 0}), kMaxValue);  // one more than a bigint holds
  EXPECT_EQ(CountOf({.start = 3, .step = 4, .max_value = 20}), 5);
  EXPECT_EQ(CountOf({.start = 3, .step = 4, .max_value = 19}), 5);
  EXPECT_EQ(CountOf({.start = 3, .step = 4, .max_value = 18}), 4);
  EXPECT_EQ(CountOf({.start = kMaxValue}), 1);
  EXPECT_EQ(CountOf({.start = 0, .step = int64_t{1} << 62}), 2);
}

TEST(SequenceDefinition, CountsWhatIsLeft) {
  const Definition definition = {.start = 3, .step = 4, .max_value = 20};
  EXPECT_EQ(LeftAfter(definition, 0), 5);  // below the first: it begins at start
  EXPECT_EQ(LeftAfter(definition, 3), 4);
  EXPECT_EQ(LeftAfter(definition, 16), 1);
  EXPECT_EQ(LeftAfter(definition, 17), 0);
  EXPECT_EQ(LeftAfter(definition, 20), 0);
  EXPECT_EQ(LeftAfter(definition, kMaxValue), 0);
  // Set to a value between start - step and start.
  EXPECT_EQ(LeftAfter({.start = 10, .step = 4, .max_value = 20}, 9), 2);
  EXPECT_EQ(LeftAfter({}, kMaxValue - 1), 1);
}

TEST(SequenceDefinition, MayBeSetFromBelowTheStartToTheMaximum) {
  EXPECT_TRUE(MaySet({}, 0));
  EXPECT_TRUE(MaySet({}, kMaxValue));
  EXPECT_FALSE(MaySet({}, -1));
  EXPECT_FALSE(MaySet({.start = 100}, 98));
  EXPECT_TRUE(MaySet({.start = 100}, 99));
  EXPECT_FALSE(MaySet({.start = 0}, -1));
  EXPECT_FALSE(MaySet({.max_value = 10}, 11));
  EXPECT_TRUE(MaySet({.max_value = 10}, 10));
}

TEST(SequenceGrant, HoldsValuesInOrder) {
  Grant grant;
  ASSERT_TRUE(GrantUpTo({.start = 3, .step = 4, .max_value = 20}, 3, 15, &grant));
  EXPECT_EQ(ValuesOf(grant), (Values{7, 11, 15}));
  ASSERT_TRUE(GrantUpTo({}, 2, kMaxValue, &grant));
  EXPECT_EQ(ValuesOf(grant), (Values{kMaxValue - 1, kMaxValue}));
  ASSERT_TRUE(GrantUpTo({.start = 0, .step = int64_t{1} << 62}, 2, int64_t{1} << 62, &grant));
  EXPECT_EQ(ValuesOf(grant), (Values{0, int64_t{1} << 62}));
}

TEST(SequenceGrant, IsRefusedIfAnyValueIsNotTheSequencers) {
  Grant grant;
  EXPECT_FALSE(GrantUpTo({}, 1, 0, &grant));
  EXPECT_FALSE(GrantUpTo({}, 1, -5, &grant));
  EXPECT_FALSE(GrantUpTo({}, 3, 2, &grant));
  EXPECT_FALSE(GrantUpTo({.max_value = 10}, 1, 11, &grant));
  EXPECT_FALSE(GrantUpTo({.step = kMaxValue}, 3, kMaxValue, &grant));
}

TEST(SequenceGrant, CyclesOnce) {
  const Definition definition = {.start = 3, .step = 4, .max_value = 20, .cycle = true};
  Grant grant;
  ASSERT_TRUE(GrantAround(definition, 4, 15, 1, 11, &grant));
  EXPECT_EQ(ValuesOf(grant), (Values{19, 3, 7, 11}));
  ASSERT_TRUE(GrantAround(definition, 2, 19, 0, 7, &grant));
  EXPECT_EQ(ValuesOf(grant), (Values{3, 7}));
  ASSERT_TRUE(GrantAround(definition, 1, kMaxValue, 0, 3, &grant));  // of another definition
  EXPECT_EQ(ValuesOf(grant), (Values{3}));
  ASSERT_TRUE(GrantAround({.cycle = true}, 2, kMaxValue - 1, 1, 1, &grant));
  EXPECT_EQ(ValuesOf(grant), (Values{kMaxValue, 1}));
}

TEST(SequenceGrant, DoesNotCycleOtherwise) {
  const Definition definition = {.start = 3, .step = 4, .max_value = 20, .cycle = true};
  Grant grant;
  EXPECT_FALSE(GrantAround({.start = 3, .step = 4, .max_value = 20}, 4, 15, 1, 11, &grant));  // without a cycle
  EXPECT_FALSE(GrantAround(definition, 4, 15, 2, 7, &grant));                                 // past the maximum
  EXPECT_FALSE(GrantAround(definition, 4, 11, 1, 11, &grant));                                // one is skipped
  EXPECT_FALSE(GrantAround(definition, 4, 15, 1, 15, &grant));                                // another last one
  EXPECT_FALSE(GrantAround(definition, 4, 15, 4, 31, &grant));
  EXPECT_FALSE(GrantAround(definition, 9, 19, 0, 35, &grant));
}

}  // namespace
}  // namespace idgen::sequencer
