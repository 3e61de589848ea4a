// Layouts as text, presets, and where times cut ids.
#include "core/generator_definition.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "core/position.h"
#include "support.h"

namespace idgen::core {
namespace {

using Kind = LayoutError::Kind;

LayoutError Parse(std::string_view text) {
  Layout layout;
  return ParseLayout(text, &layout);
}

GeneratorDefinition Of(std::string_view text, int64_t epoch_ms = kDefaultLayout.epoch_ms, int64_t unit_us = 1000) {
  GeneratorDefinition definition;
  EXPECT_EQ(ParseLayout(text, &definition.layout).kind, Kind::kNone) << text;
  definition.layout.epoch_ms = epoch_ms;
  definition.unit_us = unit_us;
  definition.layout.unit_ms = unit_us / 1000;
  return definition;
}

std::string Written(const Layout& layout) {
  char text[kLayoutTextBytes];
  const size_t length = WriteLayout(layout, text);
  EXPECT_EQ(text[length], '\0');
  return {text, length};
}

TEST(GeneratorDefinition, TheDefaultLayoutIsThePresetSnowflake) {
  const Preset* preset = FindPreset("snowflake");
  ASSERT_NE(preset, nullptr);
  EXPECT_EQ(Of(preset->fields, preset->epoch_ms, preset->unit_us), GeneratorDefinition{});
}

TEST(GeneratorDefinition, EveryPresetCanIssueIds) {
  for (const Preset* preset = kPresets; preset->name != nullptr; ++preset) {
    const GeneratorDefinition definition = Of(preset->fields, preset->epoch_ms, preset->unit_us);
    EXPECT_EQ(Issuable(definition), Obstacle::kNone) << preset->name;
    EXPECT_EQ(Written(definition.layout), preset->fields);
  }
  EXPECT_EQ(FindPreset("snow"), nullptr);
  EXPECT_EQ(FindPreset(""), nullptr);
}

TEST(GeneratorDefinition, FieldsAreReadFromTheHighestBitDown) {
  const Layout layout = Of("time:42,region:4,app:3,worker:5,sequence:10").layout;
  EXPECT_EQ(layout.time, (Field{.shift = 22, .width = 42}));
  EXPECT_EQ(layout.region, (Field{.shift = 18, .width = 4}));
  EXPECT_EQ(layout.app, (Field{.shift = 15, .width = 3}));
  EXPECT_EQ(layout.worker, (Field{.shift = 10, .width = 5}));
  EXPECT_EQ(layout.sequence, (Field{.shift = 0, .width = 10}));
  EXPECT_EQ(Of("datacenter:4,time:3").layout, Of(" region : 4 ,\ttime:3\n").layout);
}

TEST(GeneratorDefinition, ParsingLeavesNothingOfAPreviousLayout) {
  Layout layout = Of("time:41,region:5,worker:5,sequence:12").layout;
  layout.fixed = 77;
  ASSERT_EQ(ParseLayout("time:41,worker:10", &layout).kind, Kind::kNone);
  EXPECT_EQ(layout, Of("time:41,worker:10").layout);
}

TEST(GeneratorDefinition, RefusesInvalidLayouts) {
  for (const char* text : {"", "   ", "\t"}) EXPECT_EQ(Parse(text).kind, Kind::kEmpty) << text;
  for (const char* text : {"time", "time:", "time:x", "time:4x", "time:-1", "time:+1", "time:1000", ",", "time:41,",
                           "time:41,,worker:3", "time:4 1", "time:41;worker:3"})
    EXPECT_EQ(Parse(text).kind, Kind::kSyntax) << text;
  for (const char* text : {"Time:41", ":41", "shard:3", "time :4,tim:4"})
    EXPECT_EQ(Parse(text).kind, Kind::kUnknownField) << text;
  EXPECT_EQ(Parse("time:41,shard:3").word, "shard");
  for (const char* text : {"time:4,time:4", "time:4,region:1,datacenter:1", "worker:1,worker:2,time:3"})
    EXPECT_EQ(Parse(text).kind, Kind::kTwice) << text;
  EXPECT_EQ(Parse("sequence:10").kind, Kind::kNoTime);
}

TEST(GeneratorDefinition, WidthsHaveBounds) {
  for (const char* text :
       {"time:0", "time:64", "time:41,worker:32", "time:3,region:32", "time:3,app:32", "sequence:64", "time:999"})
    EXPECT_EQ(Parse(text).kind, Kind::kWidth) << text;
  EXPECT_EQ(Parse("time:41,worker:32").value, 32);
  EXPECT_EQ(Parse("time:41,worker:32").max, 31);
  for (const char* text : {"time:63", "time:1,sequence:63", "time:1,worker:31,region:31,app:1"})
    EXPECT_EQ(Parse(text).kind, Kind::kNone) << text;
  const LayoutError sum = Parse("time:41,worker:12,sequence:12");
  EXPECT_EQ(sum.kind, Kind::kSum);
  EXPECT_EQ(sum.value, 65);
}

TEST(GeneratorDefinition, WhatIsWrittenIsReadAsTheSame) {
  for (const char* text : {"time:41,worker:10,sequence:12", "sequence:1,time:9,app:31,worker:9,region:10", "time:63",
                           "time:1,region:31,app:1,worker:31", "worker:10,sequence:10,time:10"})
    EXPECT_EQ(Written(Of(text).layout), text);
}

TEST(GeneratorDefinition, IssuesOnlyIfTimeComesFirstAndWorkersDiffer) {
  EXPECT_EQ(Issuable(Of("worker:10,time:41")), Obstacle::kTimeNotFirst);
  EXPECT_EQ(Issuable(Of("time:41,sequence:12")), Obstacle::kNoWorker);
  EXPECT_EQ(Issuable(Of("time:41,worker:5", 0, 999)), Obstacle::kUnit);
  EXPECT_EQ(Issuable(Of("time:41,worker:5", 0, 1500)), Obstacle::kUnit);
  EXPECT_EQ(Issuable(Of("time:41,worker:5", 0, 2000)), Obstacle::kNone);
  EXPECT_EQ(Issuable(Of("time:53,worker:5", 0, 1000)), Obstacle::kNone);
  EXPECT_EQ(Issuable(Of("time:54,worker:5", 0, 1000)), Obstacle::kEndsTooLate);
}

TEST(GeneratorDefinition, A64BitLayoutIssuesWhileItsHighestBitIsZero) {
  const GeneratorDefinition goflake = Of("time:42,region:4,app:3,worker:5,sequence:10", 1577836800000);
  const Layout line = LineLayout(goflake.layout);
  EXPECT_EQ(EndOfIds(goflake.layout), EndOfLine(line));
  EXPECT_EQ(LastTick(goflake.layout), (uint64_t{1} << 41) - 1);
  EXPECT_EQ(
      Compose(goflake.layout, EndOfLine(line) - 1, 31) & ~(goflake.layout.region.Put(15) | goflake.layout.app.Put(7)),
      INT64_MAX & ~(goflake.layout.region.Put(15) | goflake.layout.app.Put(7)));
  EXPECT_EQ(EndUs(goflake), (1577836800000 + (int64_t{1} << 41)) * 1000);
  EXPECT_EQ(LineLayout(kDefaultLayout), kDefaultLayout);
}

TEST(GeneratorDefinition, TheLastTickIsThatOfTheTimeFieldWhereverItIs) {
  for (const char* text : {"sequence:32,time:32", "worker:31,sequence:1,time:32", "sequence:31,time:32,worker:1"}) {
    const GeneratorDefinition last = Of(text);
    EXPECT_EQ(LastTick(last.layout), (uint64_t{1} << 32) - 1) << text;
    EXPECT_EQ(EndUs(last), (last.layout.epoch_ms + (int64_t{1} << 32)) * 1000) << text;
  }
  EXPECT_EQ(LastTick(Of("time:1,sequence:63").layout), 0u);
}

TEST(GeneratorDefinition, LayoutsThatWouldGiveTheSameIdsShareALine) {
  const Layout line = LineLayout(kDefaultLayout);
  EXPECT_EQ(LineLayout(Of("time:30,worker:10,sequence:12").layout), line);
  EXPECT_EQ(LineLayout(Of("time:42,worker:10,sequence:12").layout), line);
  Layout region = Of("time:41,region:5,worker:5,sequence:12").layout;
  Layout app = Of("time:40,app:5,worker:5,sequence:12").layout;
  region.fixed = region.region.Put(9);
  app.fixed = app.app.Put(9);
  EXPECT_EQ(LineLayout(region), LineLayout(app));
  app.fixed = app.app.Put(8);
  EXPECT_NE(LineLayout(region), LineLayout(app));
  EXPECT_NE(LineLayout(Of("time:41,worker:9,sequence:13").layout), line);
  EXPECT_NE(LineLayout(Of("time:41,worker:10,sequence:12", 0).layout), line);
  EXPECT_NE(LineLayout(Of("time:41,worker:10,sequence:12", kDefaultLayout.epoch_ms, 2000).layout), line);
  // An id is the same wherever it is composed.
  const Position position = PositionAt(line, kNowMs) + 5;
  EXPECT_EQ(Compose(line, position, 7), Compose(kDefaultLayout, position, 7));
}

TEST(GeneratorDefinition, ALayoutsIdsEndBeforeItsLine) {
  const Layout layout = Of("time:30,worker:10,sequence:12").layout;
  EXPECT_EQ(EndOfIds(layout), uint64_t{1} << 42);
  EXPECT_EQ(LastTick(layout), (uint64_t{1} << 30) - 1);
  EXPECT_EQ(PositionAt(LineLayout(layout), layout.epoch_ms + (int64_t{1} << 30)), EndOfIds(layout));
}

TEST(GeneratorDefinition, IdsHaveTheFixedBits) {
  Layout layout = Of("time:41,region:5,worker:5,sequence:12").layout;
  layout.fixed = layout.region.Put(21);
  const Decoded decoded = Decode(layout, static_cast<uint64_t>(Compose(layout, PositionAt(layout, kNowMs) + 9, 3)));
  EXPECT_EQ(decoded.region, 21u);
  EXPECT_EQ(decoded.worker, 3u);
  EXPECT_EQ(decoded.sequence, 9u);
  EXPECT_EQ(decoded.unix_ms, kNowMs);
}

TEST(GeneratorDefinition, CountsIdsPerSecond) {
  EXPECT_EQ(IdsPerSecond(GeneratorDefinition{}), 4096000);
  EXPECT_EQ(IdsPerSecond(Of("time:39,sequence:8,worker:16", 0, 10000)), 25600);
  EXPECT_EQ(IdsPerSecond(Of("time:41,worker:10", 0, 3000)), 333);
  EXPECT_EQ(IdsPerSecond(Of("time:1,sequence:63", 0, 1)), std::numeric_limits<int64_t>::max());
}

// CockroachDB's unique_rowid(): 48 bits of 10 us, 15 of the node.
TEST(GeneratorDefinition, ReadsTicksThatAreShorterThanAMillisecond) {
  const GeneratorDefinition cockroach = Of("time:48,worker:15", 1420070400000, 10);
  const auto id = static_cast<uint64_t>(MinId(cockroach, kNowMs * 1000 + 120).value()) | 7;
  EXPECT_EQ(TimestampUs(cockroach, id), kNowMs * 1000 + 120);
  EXPECT_EQ(Decode(cockroach.layout, id).worker, 7u);
}

TEST(GeneratorDefinition, ATimeThatNoNumberRepresentsIsNone) {
  EXPECT_EQ(TimestampUs(Of("time:63", 0, 86400000000), INT64_MAX), std::nullopt);
  EXPECT_EQ(TimestampUs(Of("time:63", 1, 1), INT64_MAX), std::nullopt);
  EXPECT_EQ(TimestampUs(Of("time:63", 0, 1), INT64_MAX), INT64_MAX);
  EXPECT_EQ(EndUs(Of("time:63", 0, 1)), std::nullopt);
}

// The two laws, about every tick boundary, in every unit.
TEST(GeneratorDefinition, BoundsCutIdsWhereTheirTimesAre) {
  std::mt19937_64 random(7);
  for (const GeneratorDefinition& definition :
       {GeneratorDefinition{}, Of("time:39,sequence:8,worker:16", 1409529600000, 10000), Of("time:48,worker:15", 0, 10),
        Of("time:42,region:4,app:3,worker:5,sequence:10", 1577836800000), Of("time:41,worker:6,sequence:6"),
        Of("time:32,sequence:15,worker:16", 1735689600000, 1000000)}) {
    const Layout& layout = definition.layout;
    const uint64_t low = (uint64_t{1} << layout.time.shift) - 1;
    for (int i = 0; i < 20000; ++i) {
      const uint64_t tick = random() % (LastTick(layout) + 1);
      const uint64_t id = layout.time.Put(tick) | (i % 3 == 0 ? 0 : i % 3 == 1 ? low : random() & low);
      const int64_t id_us = TimestampUs(definition, id).value();
      for (const int64_t off : {int64_t{0}, int64_t{1}, int64_t{-1}, definition.unit_us, -definition.unit_us,
                                definition.unit_us - 1, 1 - definition.unit_us}) {
        const std::optional<int64_t> min = MinId(definition, id_us + off);
        if (min) {
          ASSERT_EQ(static_cast<int64_t>(id) >= *min, id_us >= id_us + off) << id << " " << off;
        }
        ASSERT_EQ(static_cast<int64_t>(id) <= MaxId(definition, id_us + off), id_us <= id_us + off) << id << " " << off;
      }
    }
  }
}

TEST(GeneratorDefinition, BoundsPastBothEnds) {
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  const GeneratorDefinition js53 = Of("time:41,worker:6,sequence:6");
  EXPECT_EQ(MinId(js53, kFirst), 0);
  EXPECT_EQ(MaxId(js53, kFirst), -1);
  EXPECT_EQ(MinId(js53, kLast), int64_t{1} << 53);
  EXPECT_EQ(MaxId(js53, kLast), (int64_t{1} << 53) - 1);
  EXPECT_EQ(MinId(GeneratorDefinition{}, kLast), std::nullopt);
  EXPECT_EQ(MaxId(GeneratorDefinition{}, kLast), kLast);
  EXPECT_EQ(MaxId(Of("time:42,worker:10,sequence:12"), kLast), kLast);
}

TEST(GeneratorDefinition, TheMaskIsOfAllFields) {
  EXPECT_EQ(IdMask(kDefaultLayout), static_cast<uint64_t>(INT64_MAX));
  EXPECT_EQ(IdMask(Of("time:42,worker:10,sequence:12").layout), UINT64_MAX);
  EXPECT_EQ(IdMask(Of("time:41,worker:6,sequence:6").layout), (uint64_t{1} << 53) - 1);
}

}  // namespace
}  // namespace idgen::core
