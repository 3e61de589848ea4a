// What a server remembers of sequences.
#include "sequencer/marks.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sequencer/definition.h"

namespace idgen::sequencer {
namespace {

struct Table {
  explicit Table(size_t count) : memory(Marks::Bytes(count) / 8 + 1), marks(memory.data(), Marks::Bytes(count)) {}
  std::vector<uint64_t> memory;
  Marks marks;
};

TEST(SequenceMarks, AnUnknownKeyHasNone) {
  Table table(16);
  Mark mark;
  EXPECT_FALSE(table.marks.Find(HashOf("a"), &mark));
}

TEST(SequenceMarks, TheHighestValueOfAGenerationCounts) {
  Table table(16);
  Mark mark;
  table.marks.Note(HashOf("a"), {.generation = 1, .value = 5});
  table.marks.Note(HashOf("a"), {.generation = 1, .value = 9});
  table.marks.Note(HashOf("a"), {.generation = 1, .value = 7});
  ASSERT_TRUE(table.marks.Find(HashOf("a"), &mark));
  EXPECT_EQ(mark.generation, 1);
  EXPECT_EQ(mark.value, 9);
}

TEST(SequenceMarks, ALaterGenerationCountsAsItIs) {
  Table table(16);
  Mark mark;
  table.marks.Note(HashOf("a"), {.generation = 1, .value = 9});
  table.marks.Note(HashOf("a"), {.generation = 3, .value = 2});
  table.marks.Note(HashOf("a"), {.generation = 2, .value = 50});
  ASSERT_TRUE(table.marks.Find(HashOf("a"), &mark));
  EXPECT_EQ(mark.generation, 3);
  EXPECT_EQ(mark.value, 2);
  table.marks.Note(HashOf("a"), {.generation = 4, .value = kNoValue});
  ASSERT_TRUE(table.marks.Find(HashOf("a"), &mark));
  EXPECT_EQ(mark.value, kNoValue);
}

TEST(SequenceMarks, WhatWasUsedLastStays) {
  Table table(8);  // one bucket
  Mark mark;
  for (int i = 0; i < 8; ++i) table.marks.Note(HashOf("old" + std::to_string(i)), {.generation = 0, .value = i});
  EXPECT_TRUE(table.marks.Find(HashOf("old0"), &mark));
  for (int i = 0; i < 7; ++i) table.marks.Note(HashOf("new" + std::to_string(i)), {.generation = 0, .value = i});
  EXPECT_TRUE(table.marks.Find(HashOf("old0"), &mark));
  for (int i = 1; i < 8; ++i) EXPECT_FALSE(table.marks.Find(HashOf("old" + std::to_string(i)), &mark)) << i;
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(table.marks.Find(HashOf("new" + std::to_string(i)), &mark));
    EXPECT_EQ(mark.value, i);
  }
}

TEST(SequenceMarks, GoesBackWithValuesThatNobodyGot) {
  Table table(16);
  Mark mark;
  table.marks.Note(HashOf("a"), {.generation = 2, .value = 90});
  table.marks.TakeBack(HashOf("a"), {.generation = 2, .value = 90}, 70);
  ASSERT_TRUE(table.marks.Find(HashOf("a"), &mark));
  EXPECT_EQ(mark.value, 70);
  // Others have been noted since.
  table.marks.Note(HashOf("a"), {.generation = 2, .value = 95});
  table.marks.TakeBack(HashOf("a"), {.generation = 2, .value = 90}, 70);
  table.marks.TakeBack(HashOf("a"), {.generation = 1, .value = 95}, 70);
  ASSERT_TRUE(table.marks.Find(HashOf("a"), &mark));
  EXPECT_EQ(mark.value, 95);
  table.marks.TakeBack(HashOf("b"), {.generation = 0, .value = 0}, 0);
  EXPECT_FALSE(table.marks.Find(HashOf("b"), &mark));
}

TEST(SequenceMarks, ManyKeysAreToldApart) {
  Table table(1 << 16);
  for (int i = 0; i < 10000; ++i) table.marks.Note(HashOf("k" + std::to_string(i)), {.generation = 0, .value = i});
  int known = 0;
  for (int i = 0; i < 10000; ++i) {
    Mark mark;
    if (!table.marks.Find(HashOf("k" + std::to_string(i)), &mark)) continue;
    EXPECT_EQ(mark.value, i);
    ++known;
  }
  EXPECT_EQ(known, 10000);
}

TEST(SequenceMarks, BothHalvesOfAHashDependOnTheKey) {
  std::set<uint64_t> high, low;
  for (int i = 0; i < 10000; ++i) {
    high.insert(HashOf(std::to_string(i)).high);
    low.insert(HashOf(std::to_string(i)).low);
  }
  EXPECT_EQ(high.size(), 10000u);
  EXPECT_EQ(low.size(), 10000u);
}

TEST(SequenceMarks, ValuesThatBeginAgainOrEndByThemselvesHaveNone) {
  EXPECT_TRUE(HasMarks({}));
  EXPECT_FALSE(HasMarks({.max_value = 10, .cycle = true}));
  EXPECT_FALSE(HasMarks({.ttl_ms = 1000}));
}

}  // namespace
}  // namespace idgen::sequencer
