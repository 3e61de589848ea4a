// What a server gives where it knows how far a key has come, and what it knows then: for each answer of the store.
#include "sequencer/above_marks.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;

char room[kMaxStoreKeyBytes];
const StoreKey kKey = WriteStoreKey("p:", "k", room);

struct Told {
  int64_t value;
  int64_t generation;
};

// A store that answers as it is told to, and one mark.
struct Host {
  explicit Host(std::deque<Told> told_values) : answers_to_give(std::move(told_values)) {}

  void Ask(const Operation& operation, const StoreKey*, Answer* answers, int) {
    asked.push_back(operation);
    answers[0].outcome = Outcome::kOk;
    answers[0].generation = answers_to_give.front().generation;
    answers[0].grant = {
        .first = answers_to_give.front().value, .step = 1, .count = operation.count, .unbroken = operation.count};
    answers[0].had = operation.kind == Kind::kRaise && answers[0].generation <= operation.mark.generation;
    answers_to_give.pop_front();
  }
  uint64_t Writer(const StoreKey&) { return writer; }
  KeyHash HashOf(const StoreKey& key) { return sequencer::HashOf(key.value()); }
  void Find(Known* found, int) {
    known.hash = found->hash;
    *found = known;
  }
  bool Note(const StoreKey&, const KeyHash&, const Marks::Given& given, const Definition&) {
    if (doubts-- > 0) return false;
    noted = given.mark;
    was_raised = given.is_raised;
    return true;
  }
  int NoteSimply(const Known*, const Answer*, int) { return 0; }
  void Tell(const StoreKey&, const Known&, Loss loss, int64_t) { told.push_back(loss); }
  void Pause(const StoreKey&, int64_t value, int times) { pauses.emplace_back(value, times); }

  Known known = {.hash = {}, .found = true, .mark = {.generation = 7, .value = 100}, .ahead = 100, .writer = 1};
  uint64_t writer = 1;
  std::deque<Told> answers_to_give;
  std::vector<Operation> asked;
  Mark noted;
  bool was_raised = false;
  int doubts = 0;  // so many marks are doubtful
  std::vector<Loss> told;
  std::vector<std::pair<int64_t, int>> pauses;
};

int64_t Take(Host& host, int64_t count = 1) {
  Answer answer;
  Known known;
  AskAboveMarks(host, {.definition = {}, .count = count}, &kKey, &answer, 1, &known);
  return answer.grant.Value(0);
}

TEST(AboveMarks, AValueAboveTheMarkIsGivenAndKnown) {
  Host host({{101, 7}});
  EXPECT_EQ(Take(host, 3), 101);
  ASSERT_EQ(host.asked.size(), 1u);
  EXPECT_TRUE(host.asked[0].with_generation);
  EXPECT_EQ(host.noted.value, 103);
  EXPECT_EQ(host.noted.generation, 7);
}

TEST(AboveMarks, AStoreThatHasForgottenIsRaised) {
  Host host({{51, 7}, {101, 7}});
  EXPECT_EQ(Take(host, 3), 101);
  ASSERT_EQ(host.asked.size(), 2u);
  EXPECT_EQ(host.asked[1].kind, Kind::kRaise);
  EXPECT_EQ(host.asked[1].mark.value, 100);
  EXPECT_EQ(host.asked[1].mark.generation, 7);
  EXPECT_EQ(host.asked[1].value, 53);
  EXPECT_EQ(host.noted.value, 103);
  EXPECT_EQ(host.told.size(), 1u);
}

TEST(AboveMarks, AStoreThatHasForgottenTheGenerationTooIsRaised) {
  Host host({{1, 0}, {101, 7}});
  EXPECT_EQ(Take(host), 101);
  EXPECT_EQ(host.noted.generation, 7);
}

TEST(AboveMarks, WhatWasSetBackIsGiven) {
  Host host({{51, 8}});
  EXPECT_EQ(Take(host), 51);
  EXPECT_EQ(host.asked.size(), 1u);
  EXPECT_EQ(host.noted.value, 51);
  EXPECT_EQ(host.noted.generation, 8);
}

// Else the store, which loses values of the later generation, would be taken for one that was set back.
TEST(AboveMarks, WhatWasSetForwardIsKnownUnderItsGeneration) {
  Host host({{1001, 8}});
  EXPECT_EQ(Take(host), 1001);
  EXPECT_EQ(host.noted.generation, 8);
}

// Not the value that was told before: it is one of before the loss, and of before the set.
TEST(AboveMarks, WhatWasSetAfterALossIsNeitherUndoneNorPassedOver) {
  Host host({{51, 7}, {6, 8}});
  EXPECT_EQ(Take(host), 6);
  EXPECT_EQ(host.noted.value, 6);
  EXPECT_EQ(host.noted.generation, 8);
  EXPECT_EQ(host.told.size(), 0u);
}

TEST(AboveMarks, AGenerationThatTheStoreForgotStaysKnown) {
  Host host({{201, 5}});
  EXPECT_EQ(Take(host), 201);
  EXPECT_EQ(host.asked.size(), 1u);
  EXPECT_EQ(host.noted.value, 201);
  EXPECT_EQ(host.noted.generation, 7);
}

TEST(AboveMarks, AfterACrashTheStoreThatGaveWhatIsKnownIsBelieved) {
  Host host({{110, 7}});
  host.known.ahead = 132;
  EXPECT_EQ(Take(host), 110);
  Host after({{111, 7}, {133, 7}});
  after.known.ahead = 132;
  after.writer = 2;
  EXPECT_EQ(Take(after), 133);
  EXPECT_EQ(after.asked[1].mark.value, 132);
}

TEST(AboveMarks, WhatIsDoubtfulIsNotGiven) {
  Host host({{101, 7}, {104, 7}});
  host.doubts = 1;
  EXPECT_EQ(Take(host, 3), 104);
  ASSERT_EQ(host.asked.size(), 2u);
  EXPECT_EQ(host.asked[1].kind, Kind::kRaise);
  EXPECT_EQ(host.asked[1].mark.value, 103) << "above what was not taken, too";
  EXPECT_EQ(host.noted.value, 106);
  EXPECT_TRUE(host.was_raised);
  EXPECT_EQ(host.told, std::vector{Loss::kDoubtful});
}

TEST(AboveMarks, AStoreThatRepeatsValuesIsNotAskedWithoutAPause) {
  Host host({{51, 7}, {51, 7}, {51, 7}, {101, 7}});
  host.doubts = 2;
  EXPECT_EQ(Take(host), 101);
  EXPECT_EQ(host.pauses, (std::vector<std::pair<int64_t, int>>{{51, 1}, {51, 2}}));
}

}  // namespace
}  // namespace idgen::sequencer
