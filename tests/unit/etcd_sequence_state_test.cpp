// The rules of sequences in etcd against the simulator's model of the Redis script, and their texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engine/random.h"
#include "sequencer/etcd/record.h"
#include "sequences/store_model.h"

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using Form = EtcdRecord::Form;

Definition RandomDefinition(sim::Random& random) {
  Definition definition;
  definition.step = random.Chance(0.5) ? 1 : random.LogBetween(1, 1000);
  definition.start = random.Chance(0.3) ? definition.step : random.Between(0, 30);
  if (random.Chance(0.7))
    definition.max_value = std::max(definition.start, definition.step) + random.LogBetween(1, 20000);
  definition.cycle = random.Chance(0.3);
  if (!definition.cycle && random.Chance(0.6)) definition.cache = 100;
  return definition;
}

TEST(EtcdSequenceState, DoesWhatTheModelOfTheRedisScriptDoes) {
  sim::sequences::Breaks breaks;
  breaks.generation_counts = true;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    sim::Random random(seed);
    const Definition definition = RandomDefinition(random);
    SequenceState state;
    sim::sequences::KeyState model;
    for (int step = 0; step < 200; ++step) {
      Operation operation = {.definition = definition};
      operation.count = random.Chance(0.5) ? 1 : random.LogBetween(1, 3000);
      if (definition.cycle) operation.count = std::min(operation.count, CountOf(definition));
      constexpr Kind kKinds[] = {Kind::kNext, Kind::kNext,      Kind::kNext, Kind::kSegment,
                                 Kind::kSet,  Kind::kSetIfNone, Kind::kPeek, Kind::kRaise};
      operation.kind = random.Chance(0.05) ? Kind::kDrop : kKinds[random.Below(8)];
      operation.with_generation = random.Chance(0.5);
      operation.value = std::clamp<int64_t>(state.last + random.Between(-50, 50) * definition.step,
                                            std::max<int64_t>(definition.Before(), 0), definition.max_value);
      operation.mark = {.generation = std::max<int64_t>(state.generation + random.Between(-1, 1), 0),
                        .value = operation.value};
      if (random.Chance(0.5) && operation.kind == Kind::kRaise) operation.value = state.last;
      // What is set or dropped gets a generation above a mark's, which in Redis the time does.
      if (operation.kind != Kind::kRaise) operation.mark = {};
      // Sometimes near the end of what a bigint holds.
      if (random.Chance(0.02)) state.last = model.value = INT64_MAX - random.Between(0, 3000);
      state.has_value = model.there = model.there || state.last > INT64_MAX - 5000;
      Answer answer;
      Apply(operation, &state, &answer);
      const Answer expected = sim::sequences::Apply(model, operation, 1000000, 0, breaks);
      ASSERT_EQ(answer.outcome, expected.outcome) << "seed " << seed << ", step " << step;
      ASSERT_EQ(answer.had, expected.had) << "seed " << seed << ", step " << step;
      ASSERT_EQ(answer.last, expected.last) << "seed " << seed << ", step " << step;
      ASSERT_EQ(answer.generation, expected.generation) << "seed " << seed << ", step " << step;
      ASSERT_EQ(answer.grant.count, expected.grant.count) << "seed " << seed << ", step " << step;
      for (int64_t i = 0; i < answer.grant.count; ++i)
        ASSERT_EQ(answer.grant.Value(i), expected.grant.Value(i)) << "seed " << seed << ", step " << step;
      ASSERT_EQ(state.has_value, model.there);
      ASSERT_EQ(state.last, model.value);
      ASSERT_EQ(state.generation, model.generation);
    }
  }
}

TEST(EtcdSequenceState, TheHighestGenerationStays) {
  Definition definition;
  definition.max_value = 5;
  definition.cycle = true;
  for (const Kind kind : {Kind::kSet, Kind::kDrop, Kind::kNext}) {
    SequenceState state{.has_value = true, .last = 5, .generation = INT64_MAX};
    Answer answer;
    Apply({.kind = kind, .definition = definition, .count = 1, .value = 3}, &state, &answer);
    EXPECT_EQ(answer.outcome, Outcome::kOk);
    EXPECT_EQ(state.generation, INT64_MAX);
  }
}

std::string Rewritten(const std::string& text) {
  char out[EtcdRecord::kMaxBytes];
  const EtcdRecord record = EtcdRecord::Read(text);
  return record.form == Form::kForeign ? "foreign" : std::string(record.Write(out));
}

TEST(EtcdRecord, ReadsWhatItWrites) {
  for (const char* text : {"0", "17", "9223372036854775807", "17 3", "-", "- 4", "0+1v", "-5+10v 2",
                           "-9223372036854775808+1v", "9223372036854775807+4611686018427387904v 9223372036854775807"})
    EXPECT_EQ(Rewritten(text), text);
}

TEST(EtcdRecord, TakesNothingElseForASequence) {
  for (const char* text : {"", " ", "x", "-1", "01", "1 ", "1  2", "1 -2", "1 2 3", "--", "-v", "+v", "1+v", "+1v", "1+0v",
                           "1+-1v", "1+01v", "1+1", "1+1vv", "9223372036854775808", "1+9223372036854775808v",
                           "-9223372036854775809+1v", "- x", "1+1v x", "17 0", "- 0", "-0+1v"})
    EXPECT_EQ(Rewritten(text), "foreign") << text;
}

TEST(EtcdRecord, CountsFromTheVersionOfItsPut) {
  for (const int64_t version : {int64_t{1}, int64_t{7}, INT64_MAX - 1}) {
    for (const int64_t step : {int64_t{1}, int64_t{10}, int64_t{1} << 62}) {
      const EtcdRecord record = EtcdRecord::Counted({.has_value = true, .last = 5}, step, version);
      SequenceState state;
      ASSERT_TRUE(record.StateAt(version, &state));
      EXPECT_EQ(state.last, 5);
      if (step > INT64_MAX - 5) continue;
      ASSERT_TRUE(record.StateAt(version + 1, &state));
      EXPECT_EQ(state.last, 5 + step);
    }
  }
}

// Whoever counts gets what the rule gives, whatever the version is by then, and nobody gets past the maximum.
TEST(EtcdRecord, CountingFollowsTheRule) {
  int counted = 0, limited = 0;
  for (uint64_t seed = 1; seed <= 20000; ++seed) {
    sim::Random random(seed);
    Definition definition = RandomDefinition(random);
    const int64_t count = random.Chance(0.5) ? 1 : random.LogBetween(1, 300);
    const SequenceState before = {.has_value = true,
                                  .last = random.Chance(0.8) ? random.Between(0, 21000) : INT64_MAX - random.Between(0, 3000),
                                  .generation = random.Between(0, 2)};
    const int64_t version = random.LogBetween(1, 1000000);
    const EtcdRecord record = EtcdRecord::Counted(before, definition.step, version);
    const Operation operation = {.definition = definition, .count = count};
    Counting counting;
    const bool can_count = CanCount(definition, count, record, version, &counting);
    SequenceState after = before;
    Answer answer;
    Apply(operation, &after, &answer);
    const bool is_simple = answer.outcome == Outcome::kOk && after.last == before.last + count * definition.step &&
                           after.generation == before.generation;
    // A definition whose start was raised may go on from a value by chance.
    const bool is_fresh = definition.Before() >= 0 && before.last < definition.Before();
    const int64_t limit = CountedUpTo(definition);
    ASSERT_EQ(can_count, is_simple && !is_fresh && after.last <= limit) << seed;
    if (!can_count) continue;
    ++counted;
    for (int64_t later : {int64_t{0}, int64_t{1}, random.Between(0, 500)}) {
      if (counting.max_version != Counting::kAnyVersion && version + later > counting.max_version) continue;
      SequenceState here, put;
      ASSERT_TRUE(record.StateAt(version + later, &here));
      ASSERT_TRUE(counting.put.StateAt(version + later + 1, &put));
      EXPECT_EQ(put.last, here.last + count * definition.step) << seed;
      EXPECT_LE(put.last, definition.max_value);
      EXPECT_EQ(put.generation, before.generation);
    }
    if (counting.max_version == Counting::kAnyVersion) continue;
    ++limited;
    SequenceState last;
    ASSERT_TRUE(record.StateAt(counting.max_version, &last));
    EXPECT_LE(last.last, limit - count * definition.step) << seed;
    EXPECT_GT(last.last, limit - count * definition.step - definition.step) << seed;
  }
  EXPECT_GT(counted, 5000);
  EXPECT_GT(limited, 1000);
}

}  // namespace
}  // namespace idgen::sequencer
