// What a server remembers of sequences, and what of it is written when.
#include "sequencer/marks.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace idgen::sequencer {
namespace {

constexpr Definition kCounted = {};
constexpr uint64_t kWriter = 77;
constexpr int64_t kLater = kShortStepUs;

struct Table {
  explicit Table(size_t count) : memory(Marks::Bytes(count) / 8 + 1), marks(memory.data(), count) {}

  Marks::Noted Note(const std::string& key, int64_t generation, int64_t value, uint64_t writer = kWriter,
                    uint64_t owner = 0) {
    now_us += kLater;
    return marks.Note(
        HashOf(key),
        {.mark = {.generation = generation, .value = value}, .first = value, .writer = writer, .owner = owner},
        definition, now_us);
  }
  // A call that asks for a value, and gets one.
  void Use(const std::string& key, uint64_t owner = 0) { Note(key, 0, Find(key).mark.value + 1, kWriter, owner); }
  bool Has(const std::string& key) { return Find(key).found; }
  // The slots in the queue, which is empty afterwards.
  std::vector<size_t> AllUnwritten() {
    std::vector<size_t> slots;
    for (size_t slot; marks.NextUnwritten(&slot);) slots.push_back(slot);
    return slots;
  }
  // A value that has just been noted: what its record says.
  MarkRecord Written(const std::string& key, int64_t generation, int64_t value) {
    const Marks::Noted noted = Note(key, generation, value);
    EXPECT_FALSE(noted.is_written_ahead);
    return marks.Record(noted.slot, false);
  }
  Known Find(const std::string& key) { return marks.Find(HashOf(key)); }
  // The server after a crash, or a stop.
  Table Again(size_t count, bool was_stopped) const {
    Table again(count);
    for (size_t slot = 0; slot < marks.slots(); ++slot) again.marks.Load(marks.Record(slot, was_stopped));
    return again;
  }

  std::vector<uint64_t> memory;
  Marks marks;
  Definition definition = kCounted;
  int64_t now_us = 0;
};

TEST(SequenceMarks, AnUnknownKeyHasNone) {
  Table table(16);
  const Known known = table.Find("a");
  EXPECT_FALSE(known.found);
  EXPECT_EQ(known.mark.value, kNoValue);
  EXPECT_EQ(known.ahead, kNoValue);
}

TEST(SequenceMarks, TheHighestValueOfAGenerationCounts) {
  Table table(16);
  for (const int64_t value : {5, 9, 7}) table.Note("a", 1, value);
  const Known known = table.Find("a");
  ASSERT_TRUE(known.found);
  EXPECT_EQ(known.mark.generation, 1);
  EXPECT_EQ(known.mark.value, 9);
  EXPECT_EQ(known.ahead, 9) << "in memory it is known exactly";
}

TEST(SequenceMarks, ALaterGenerationCountsAsItIs) {
  Table table(16);
  table.Note("a", 1, 9);
  table.Note("a", 3, 2);
  EXPECT_TRUE(table.Note("a", 2, 50).is_written_ahead) << "an earlier one is nothing";
  EXPECT_EQ(table.Find("a").mark.generation, 3);
  EXPECT_EQ(table.Find("a").mark.value, 2);
  const MarkRecord dropped = table.Written("a", 4, kNoValue);
  EXPECT_EQ(dropped.value, kNoValue);
  EXPECT_EQ(dropped.ahead, kNoValue);
  EXPECT_EQ(table.Written("a", 4, 1).value, 1);
}

TEST(SequenceMarks, WhatWasUsedLastStays) {
  Table table(8);  // one bucket
  for (int i = 0; i < 8; ++i) table.Note("old" + std::to_string(i), 0, i);
  EXPECT_TRUE(table.Find("old0").found);
  for (int i = 0; i < 7; ++i) table.Note("new" + std::to_string(i), 0, i);
  EXPECT_TRUE(table.Find("old0").found);
  for (int i = 1; i < 8; ++i) EXPECT_FALSE(table.Find("old" + std::to_string(i)).found) << i;
  for (int i = 0; i < 7; ++i) EXPECT_EQ(table.Find("new" + std::to_string(i)).mark.value, i);
}

TEST(SequenceMarks, GoesBackWithValuesThatNobodyGot) {
  Table table(16);
  table.Note("a", 2, 90);
  const Marks::Noted back = table.marks.Lower(HashOf("a"), {.generation = 2, .value = 90}, 70);
  EXPECT_FALSE(back.is_written_ahead) << "a store at 70 has not forgotten, after a crash either";
  EXPECT_EQ(table.marks.Record(back.slot, false).value, 70);
  EXPECT_EQ(table.Find("a").mark.value, 70);
  // Others have been noted since.
  table.Note("a", 2, 95);
  EXPECT_TRUE(table.marks.Lower(HashOf("a"), {.generation = 2, .value = 90}, 70).is_written_ahead);
  EXPECT_TRUE(table.marks.Lower(HashOf("a"), {.generation = 1, .value = 95}, 70).is_written_ahead);
  EXPECT_EQ(table.Find("a").mark.value, 95);
  EXPECT_TRUE(table.marks.Lower(HashOf("b"), {.generation = 0, .value = 0}, 0).is_written_ahead);
  EXPECT_FALSE(table.Find("b").found);
}

TEST(SequenceMarks, ARecordIsAheadAndWrittenOnceInSoManyValues) {
  Table table(16);
  const MarkRecord first = table.Written("a", 0, 1);
  EXPECT_EQ(first.value, 1);
  EXPECT_EQ(first.ahead, 1 + kMinAhead);
  EXPECT_EQ(first.writer, kWriter);
  const uint64_t write = table.marks.writes();
  for (int64_t value = 2; value <= 1 + kMinAhead; ++value) {
    const Marks::Noted noted = table.Note("a", 0, value);
    EXPECT_TRUE(noted.is_written_ahead);
    EXPECT_EQ(noted.write, write) << "the one that covers it";
  }
  const MarkRecord second = table.Written("a", 0, 2 + kMinAhead);
  EXPECT_EQ(second.value, 2 + kMinAhead);
  EXPECT_EQ(second.ahead, 2 + 2 * kMinAhead);
  EXPECT_EQ(table.marks.writes(), write + 1);
}

TEST(SequenceMarks, AheadByMoreWhereValuesGoFast) {
  Table table(16);
  int64_t value = 1, ahead = kMinAhead;
  EXPECT_EQ(table.Written("a", 0, value).ahead, value + ahead);
  for (int i = 0; i < 20; ++i) {
    value += ahead + 1;
    ahead = std::min(ahead * 2, kMaxAhead);
    table.now_us -= kLater;  // at once
    EXPECT_EQ(table.Written("a", 0, value).ahead, value + ahead);
  }
  value += ahead + 1;
  EXPECT_EQ(table.Written("a", 0, value).ahead, value + kMinAhead) << "and no longer";
}

TEST(SequenceMarks, WhatTwoStoresGaveAtTheSameTimeIsDoubtful) {
  Table table(16);
  constexpr uint64_t kOther = 78, kUnknown = 0;
  for (const int64_t value : {5, 7, 6})
    EXPECT_FALSE(table.Note("a", 0, value).is_doubtful) << "one store, in any order";
  EXPECT_TRUE(table.Note("a", 0, 7, kOther).is_doubtful);
  EXPECT_TRUE(table.Note("a", 0, 3, kOther).is_doubtful);
  EXPECT_EQ(table.Find("a").mark.value, 7);
  EXPECT_FALSE(table.Note("a", 0, 8, kOther).is_doubtful) << "what is above all that was given is not";
  EXPECT_TRUE(table.Note("a", 0, 6, kOther).is_doubtful) << "the one before may have given it";
  EXPECT_TRUE(table.Note("a", 0, 8, kWriter).is_doubtful);
  EXPECT_FALSE(table.Note("b", 0, 5).is_doubtful);
  EXPECT_FALSE(table.Note("b", 0, 8, kOther).is_doubtful);
  EXPECT_FALSE(table.Note("b", 0, 9).is_doubtful);
  EXPECT_TRUE(table.Note("b", 0, 8).is_doubtful) << "the other gave it between two of its own";
  EXPECT_FALSE(table.Note("a", 0, 8, kUnknown).is_doubtful);
  EXPECT_FALSE(table.Note("a", 0, 8, kOther).is_doubtful) << "one that is not known changes nothing";
  EXPECT_FALSE(table.Note("a", 1, 2, kWriter).is_doubtful) << "a later generation begins anew";
  EXPECT_FALSE(table.Note("a", 0, 2, kWriter).is_doubtful) << "an earlier one is nothing";
  EXPECT_TRUE(table.Note("a", 0, 2, kOther).is_doubtful) << "but of another store, which may have forgotten the later";
  const Marks::Given batch = {.mark = {.generation = 1, .value = 9}, .first = 2, .writer = kOther};
  EXPECT_TRUE(table.marks.Note(HashOf("a"), batch, kCounted, 0).is_doubtful) << "of a batch the first counts";
}

TEST(SequenceMarks, WhatWasOnItsWayWhenTheStoreForgotIsDoubtful) {
  Table table(16);
  table.Note("a", 0, 10);
  const uint64_t losses = table.Find("a").losses;
  const auto note = [&table](int64_t value, uint64_t known_losses, bool is_raised) {
    return table.marks
        .Note(HashOf("a"),
              {.mark = {.generation = 0, .value = value},
               .first = value,
               .writer = kWriter,
               .losses = known_losses,
               .is_raised = is_raised},
              kCounted, 0)
        .is_doubtful;
  };
  EXPECT_FALSE(note(11, losses, true)) << "the store was raised above 10 and gave 11";
  EXPECT_NE(table.Find("a").losses, losses);
  EXPECT_TRUE(note(11, losses, false)) << "which it had given before it forgot, to somebody who notes it later";
  EXPECT_FALSE(note(12, losses, false));
  EXPECT_TRUE(note(12, table.Find("a").losses, true)) << "a raised value of which it is noted that it was given";
  EXPECT_FALSE(note(11, table.Find("a").losses, false)) << "what was asked for after the loss comes in any order";
  const uint64_t found = table.Find("a").losses;
  table.Note("a", 1, kNoValue);
  EXPECT_EQ(table.Find("a").losses, found) << "a set or drop is no news for who asked after the loss";
}

TEST(SequenceMarks, WhatIsSimpleIsNotedAsEverythingIs) {
  const auto note = [](Table& table, const Known& known, int64_t value, int64_t generation = 3,
                       uint64_t writer = kWriter) {
    uint64_t write = 0;
    const Marks::Given given = {
        .mark = {.generation = generation, .value = value}, .first = value, .writer = writer, .losses = known.losses};
    return table.marks.NoteSimply(known, given, &write) && write == table.marks.writes();
  };
  Table table(16);
  EXPECT_FALSE(note(table, table.Find("a"), 1)) << "not known";
  table.Note("a", 3, 10);
  const Known known = table.Find("a");
  EXPECT_TRUE(note(table, known, 12));
  EXPECT_TRUE(note(table, known, 11)) << "of before, by who notes later";
  EXPECT_EQ(table.Find("a").mark.value, 12);
  EXPECT_FALSE(note(table, known, 10)) << "not above what was known";
  EXPECT_FALSE(note(table, known, 11 + kMinAhead)) << "to be written";
  EXPECT_FALSE(note(table, known, 13, 2));
  EXPECT_FALSE(note(table, known, 13, 4));
  EXPECT_FALSE(note(table, known, 13, 3, kWriter + 1)) << "another store";
  EXPECT_EQ(table.Find("a").mark.value, 12) << "what was not noted has changed nothing";
  Table crashed = table.Again(16, false);
  EXPECT_FALSE(note(crashed, crashed.Find("a"), 11 + kMinAhead)) << "not known for sure";
  for (int i = 0; i < 100; ++i) table.Note("other" + std::to_string(i), 3, 10);
  EXPECT_FALSE(note(table, known, 13)) << "another key has its slot";
}

TEST(SequenceMarks, NothingIsAheadOfTheMaximum) {
  Table table(16);
  table.definition = {.start = 10, .step = 10, .max_value = 100};
  EXPECT_EQ(table.Written("a", 0, 80).ahead, 100);
  table.definition = {.step = INT64_MAX / 2};
  EXPECT_EQ(table.Written("b", 0, 1).ahead, INT64_MAX);
}

TEST(SequenceMarks, ADueRecordIsQueuedOnce) {
  Table table(64);
  EXPECT_TRUE(table.AllUnwritten().empty());
  const size_t a = table.Note("a", 0, 1).slot, b = table.Note("b", 0, 1).slot, c = table.Note("c", 0, 1).slot;
  table.Note("a", 0, 100);
  EXPECT_EQ(table.AllUnwritten(), (std::vector{a, b, c})) << "in order, and once each";
  EXPECT_TRUE(table.AllUnwritten().empty());
  table.Note("a", 0, 101);
  EXPECT_TRUE(table.AllUnwritten().empty()) << "what is written ahead is not written again";
  table.marks.NoteUnwritten(b);
  table.Note("a", 0, 200);
  EXPECT_EQ(table.AllUnwritten(), (std::vector{b, a})) << "what could not be written is";
  size_t slot;
  table.Note("c", 0, 100);
  ASSERT_TRUE(table.marks.NextUnwritten(&slot));
  table.Note("c", 0, 200);
  EXPECT_EQ(table.AllUnwritten(), (std::vector{c})) << "while it is being written it can be queued again";
}

// --- which mark makes room. All keys of these are in one bucket, of eight.

std::string Key(const char* name, int number) { return name + std::to_string(number); }

TEST(SequenceMarks, KeysUsedOnceDoNotCostAKeyInUseItsMark) {
  Table table(8);
  for (int i = 0; i < 6; ++i) table.Use(Key("used", i));
  for (int i = 0; i < 6; ++i) table.Use(Key("used", i));
  for (int i = 0; i < 45000; ++i) table.Use(Key("once", i));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(table.Has(Key("used", i))) << i;
  EXPECT_TRUE(table.Has("once44999")) << "the latest of them has one";
  EXPECT_FALSE(table.Has("once44997"));
}

TEST(SequenceMarks, ThatAKeyIsInUseIsKnownAfterACrash) {
  Table table(8);
  for (int times = 0; times < 2; ++times)
    for (int i = 0; i < 6; ++i) table.Use(Key("used", i));
  for (int i = 0; i < 100; ++i) table.Use(Key("once", i));
  Table crashed = table.Again(8, false);
  for (int i = 100; i < 200; ++i) crashed.Use(Key("once", i));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(crashed.Has(Key("used", i))) << i;
}

TEST(SequenceMarks, NoOwnerTakesMoreThanItsShareFromOthers) {
  constexpr uint64_t kVictim = 1, kOther = 2;
  Table table(8);
  for (int times = 0; times < 2; ++times)
    for (int i = 0; i < 3; ++i) table.Use(Key("victim", i), kVictim);
  for (int i = 0; i < 1000; ++i)
    for (int times = 0; times < 3; ++times) table.Use(Key("other", i), kOther);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(table.Has(Key("victim", i))) << "keys used again and again: " << i;
  Table once(8);
  once.Use("victim", kVictim);
  for (int i = 0; i < 1000; ++i) once.Use(Key("other", i), kOther);
  EXPECT_TRUE(once.Has("victim")) << "keys used once, of both";
}

TEST(SequenceMarks, AKeyStaysWithItsFirstOwner) {
  constexpr uint64_t kVictim = 1, kOther = 2;
  Table table(8);
  for (int times = 0; times < 2; ++times)
    for (int i = 0; i < 3; ++i) table.Use(Key("victim", i), kVictim);
  for (int i = 0; i < 3; ++i) table.Use(Key("victim", i), kOther);
  for (int i = 0; i < 1000; ++i)
    for (int times = 0; times < 3; ++times) table.Use(Key("other", i), kOther);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(table.Has(Key("victim", i))) << i;
}

TEST(SequenceMarks, AProtectedKeyThatIsNoLongerUsedMakesRoom) {
  Table table(8);
  for (int times = 0; times < 2; ++times)
    for (int i = 0; i < 20; ++i)
      for (int again = 0; again < 2; ++again) table.Use(Key("k", i));
  for (int i = 14; i < 20; ++i) EXPECT_TRUE(table.Has(Key("k", i))) << i;
  EXPECT_FALSE(table.Has("k0"));
}

TEST(SequenceMarks, AfterACrashTheRangeInDoubtIsKnown) {
  Table table(16);
  for (const int64_t value : {1, 7}) table.Note("a", 3, value);
  Table crashed = table.Again(16, false);
  const Known known = crashed.Find("a");
  ASSERT_TRUE(known.found);
  EXPECT_EQ(known.mark.generation, 3);
  EXPECT_EQ(known.mark.value, 1);
  EXPECT_EQ(known.ahead, 1 + kMinAhead);
  EXPECT_EQ(known.writer, kWriter);
  // The next value says how far it is.
  EXPECT_TRUE(crashed.Note("a", 3, 8).is_written_ahead);
  EXPECT_EQ(crashed.Find("a").mark.value, 8);
  EXPECT_EQ(crashed.Find("a").ahead, 8);
  // A second crash knows no less than the first.
  EXPECT_EQ(crashed.Again(16, false).Find("a").ahead, 1 + kMinAhead);
}

// Of two that both take themselves for the master a server that crashes may meet either one afterwards.
TEST(SequenceMarks, ARecordIsOfOneStoreAlone) {
  Table table(16);
  EXPECT_FALSE(table.Note("a", 3, 1).is_written_ahead);
  EXPECT_FALSE(table.Note("a", 3, 7, kWriter + 1).is_written_ahead);
  EXPECT_TRUE(table.Note("a", 3, 8, kWriter + 1).is_written_ahead);
  Table crashed = table.Again(16, false);
  EXPECT_EQ(crashed.Find("a").mark.value, 7);
  EXPECT_EQ(crashed.Find("a").writer, kWriter + 1);
}

TEST(SequenceMarks, AValueOfAnEarlierGenerationIsDoubtfulIfAnotherStoreGaveIt) {
  Table table(16);
  table.Note("a", 3, 7);
  EXPECT_FALSE(table.Note("a", 0, 1).is_doubtful);
  EXPECT_TRUE(table.Note("a", 0, 1, kWriter + 1).is_doubtful);
  EXPECT_EQ(table.Find("a").mark.value, 7);
}

TEST(SequenceMarks, AfterAStopItIsKnownExactly) {
  Table table(16);
  for (const int64_t value : {1, 7}) table.Note("a", 3, value);
  Table again = table.Again(16, true);
  EXPECT_EQ(again.Find("a").mark.value, 7);
  EXPECT_EQ(again.Find("a").ahead, 7);
  EXPECT_FALSE(again.Note("a", 3, 8).is_written_ahead);
  // What was not known after a crash is not known after a stop without a value in between.
  EXPECT_EQ(table.Again(16, false).Again(16, true).Find("a").ahead, 1 + kMinAhead);
}

TEST(SequenceMarks, ATableOfAnotherSizeTakesWhatFits) {
  Table table(64);
  for (int i = 0; i < 20; ++i) table.Note("k" + std::to_string(i), 0, i);
  const auto count = [](Table again) {
    int found = 0;
    for (int i = 0; i < 20; ++i) found += again.Find("k" + std::to_string(i)).found;
    return found;
  };
  EXPECT_EQ(count(table.Again(1024, false)), 20);
  Table small = table.Again(8, false);
  EXPECT_EQ(count(small), 8);
  for (int i = 12; i < 20; ++i) EXPECT_TRUE(small.Find("k" + std::to_string(i)).found) << "the last used stay: " << i;
  small.Note("new", 0, 1);
  EXPECT_TRUE(small.Find("new").found) << "uses go on from those that were read";
  EXPECT_FALSE(small.Find("k12").found);
}

TEST(SequenceMarks, ADamagedRecordIsIgnored) {
  Table table(8), again(8);
  const MarkRecord record = table.Written("a", 0, 5);
  for (size_t byte = 0; byte < sizeof record; ++byte) {
    MarkRecord broken = record;
    reinterpret_cast<unsigned char*>(&broken)[byte] ^= 1;
    again.marks.Load(broken);
    EXPECT_FALSE(again.Find("a").found) << byte;
  }
  again.marks.Load(MarkRecord());
  again.marks.Load(record);
  EXPECT_TRUE(again.Find("a").found);
}

TEST(SequenceMarks, ManyKeysAreDistinguished) {
  Table table(1 << 16);
  for (int i = 0; i < 10000; ++i) table.Note("k" + std::to_string(i), 0, i);
  for (int i = 0; i < 10000; ++i) EXPECT_EQ(table.Find("k" + std::to_string(i)).mark.value, i);
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
