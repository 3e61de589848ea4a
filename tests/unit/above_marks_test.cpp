// Which values are accepted above a high-water mark, when the store is raised, and what is noted: for each answer of
// the store, and each connection that it comes over.
#include <gtest/gtest.h>

#include "sequence_host.h"
#include "sequences/store_model.h"

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;

struct Told {
  int64_t value;
  int64_t generation;
};

constexpr uint64_t kWriter = 11;

// One key, with a mark of 100 under generation 7, and a store that gives what the test says.
class Marked {
 public:
  explicit Marked(std::deque<Told> answers, int64_t ahead = 100) : answers_(std::move(answers)) {
    host.writer = kWriter;
    host.answer = [this](const Operation& operation, const StoreKey&) { return Next(operation); };
    // As after a crash, if it may have given more than it knows.
    MarkRecord record = {
        .key = host.HashOf(key.key), .generation = 7, .value = 100, .ahead = ahead, .writer = kWriter, .used = 1};
    record.sum = record.Sum();
    host.LockMarks().Load(record);
    host.UnlockMarks();
  }

  Answer Ask(int64_t count) {
    Answer answer;
    Known known;
    AskAboveMarks(host, {.definition = key.definition, .count = count}, &key.key, &answer, 1, &known, INT64_MAX);
    return answer;
  }
  int64_t Take(int64_t count = 1) { return Ask(count).grant.Value(0); }
  Mark noted() {
    const Known known = host.LockMarks().Find(host.HashOf(key.key));
    host.UnlockMarks();
    return known.mark;
  }
  // What was asked, without the questions for the writer.
  std::vector<Operation> asked() const {
    std::vector<Operation> of_values;
    for (const Operation& operation : host.asked)
      if (operation.kind != Kind::kWriter) of_values.push_back(operation);
    return of_values;
  }

  TestHost host;
  TestKey key{"k", {}};

 private:
  Answer Next(const Operation& operation) {
    if (operation.kind == Kind::kWriter) return host.Count(operation);
    Answer answer;
    answer.outcome = Outcome::kOk;
    answer.generation = answers_.front().generation;
    answer.grant = {.first = answers_.front().value, .step = 1, .count = operation.count, .unbroken = operation.count};
    answer.had = operation.kind == Kind::kRaise && answer.generation <= operation.mark.generation;
    answers_.pop_front();
    return answer;
  }

  std::deque<Told> answers_;
};

// Somebody else of this server gets the value while the store is asked.
std::function<void(const Operation&)> GivenMeanwhile(Marked& marked, std::deque<int64_t> values) {
  return [&marked, values](const Operation& operation) mutable {
    if (operation.kind == Kind::kWriter || values.empty()) return;
    const Marks::Given given = {
        .mark = {.generation = 7, .value = values.front()}, .first = values.front(), .writer = kWriter + 1};
    values.pop_front();
    marked.host.BeginMarkChange().Note(marked.host.HashOf(marked.key.key), given, marked.key.definition, 0);
    marked.host.EndMarkChange();
  };
}

TEST(AboveMarks, AValueAboveTheMarkIsAcceptedAndNoted) {
  Marked marked({{101, 7}});
  EXPECT_EQ(marked.Take(3), 101);
  ASSERT_EQ(marked.asked().size(), 1u);
  EXPECT_TRUE(marked.asked()[0].with_generation);
  EXPECT_EQ(marked.noted().value, 103);
  EXPECT_EQ(marked.noted().generation, 7);
}

TEST(AboveMarks, AStoreThatForgetsNothingIsRaisedAboveWhatAnotherStoreGave) {
  Marked marked({{1, 0}, {101, 7}, {102, 7}});
  marked.host.store_forgets = false;
  EXPECT_EQ(marked.Take(), 101);
  ASSERT_EQ(marked.asked().size(), 2u);
  EXPECT_EQ(marked.asked()[1].kind, Kind::kRaise);
  EXPECT_EQ(marked.asked()[1].mark.value, 100);
  EXPECT_EQ(marked.asked()[1].mark.generation, 7);
  EXPECT_EQ(marked.Take(), 102);
  EXPECT_EQ(marked.asked().size(), 3u) << "it is raised once";
  EXPECT_EQ(marked.noted().value, 102) << "for the store that takes its place";
}

TEST(AboveMarks, AStoreThatMakesNoTimesIsToldWhatTheGenerationOfASetMustBeLaterThan) {
  Marked marked({});
  marked.host.answer = [&](const Operation& operation, const StoreKey&) { return marked.host.Count(operation); };
  const Operation set = {.kind = Kind::kSet, .definition = {}, .value = 5, .mark = {.generation = 3}};
  for (const bool forgets : {false, true}) {
    marked.host.store_forgets = forgets;
    AskForChange(marked.host, set, marked.key.key, INT64_MAX);
    EXPECT_EQ(marked.asked().back().mark.generation, forgets ? 3 : 7);
  }
  marked.host.store_forgets = false;
  Operation later = set;
  later.mark.generation = 90;
  AskForChange(marked.host, later, marked.key.key, INT64_MAX);
  EXPECT_EQ(marked.asked().back().mark.generation, 90);
}

TEST(AboveMarks, AStoreThatHasLostValuesIsRaised) {
  Marked marked({{51, 7}, {101, 7}});
  EXPECT_EQ(marked.Take(3), 101);
  ASSERT_EQ(marked.asked().size(), 2u);
  EXPECT_EQ(marked.asked()[1].kind, Kind::kRaise);
  EXPECT_EQ(marked.asked()[1].mark.value, 100);
  EXPECT_EQ(marked.asked()[1].mark.generation, 7);
  EXPECT_EQ(marked.asked()[1].value, 53);
  EXPECT_EQ(marked.noted().value, 103);
  EXPECT_EQ(marked.host.losses, std::vector{Loss::kSure});
}

TEST(AboveMarks, AStoreThatHasLostTheGenerationTooIsRaised) {
  Marked marked({{1, 0}, {101, 7}});
  EXPECT_EQ(marked.Take(), 101);
  EXPECT_EQ(marked.noted().generation, 7);
}

TEST(AboveMarks, AValueOfAKeyThatWasSetBackIsAccepted) {
  Marked marked({{51, 8}});
  EXPECT_EQ(marked.Take(), 51);
  EXPECT_EQ(marked.asked().size(), 1u);
  EXPECT_EQ(marked.noted().value, 51);
  EXPECT_EQ(marked.noted().generation, 8);
}

// Otherwise a store that loses values of the later generation would pass for one that was set back.
TEST(AboveMarks, AValueOfAKeyThatWasSetForwardIsNotedUnderItsGeneration) {
  Marked marked({{1001, 8}});
  EXPECT_EQ(marked.Take(), 1001);
  EXPECT_EQ(marked.noted().generation, 8);
}

// The rejected value counts for nothing: it was given before the loss, and before the set.
TEST(AboveMarks, ASetAfterALossIsNeitherUndoneNorPassedOver) {
  Marked marked({{51, 7}, {6, 8}});
  EXPECT_EQ(marked.Take(), 6);
  EXPECT_EQ(marked.noted().value, 6);
  EXPECT_EQ(marked.noted().generation, 8);
  EXPECT_TRUE(marked.host.losses.empty());
}

TEST(AboveMarks, AGenerationThatTheStoreHasLostStaysKnown) {
  Marked marked({{201, 5}});
  EXPECT_EQ(marked.Take(), 201);
  EXPECT_EQ(marked.asked().size(), 1u);
  EXPECT_EQ(marked.noted().value, 201);
  EXPECT_EQ(marked.noted().generation, 7);
}

TEST(AboveMarks, AfterACrashTheWriterThatGaveTheKnownValuesIsTrusted) {
  Marked marked({{110, 7}}, 132);
  EXPECT_EQ(marked.Take(), 110);
  EXPECT_TRUE(marked.host.losses.empty());
}

TEST(AboveMarks, AfterACrashAnotherWriterIsRaisedAboveWhatMayHaveBeenGiven) {
  Marked marked({{111, 7}, {133, 7}}, 132);
  marked.host.writer = kWriter + 1;
  EXPECT_EQ(marked.Take(), 133);
  EXPECT_EQ(marked.asked()[1].mark.value, 132);
  EXPECT_EQ(marked.host.losses, std::vector{Loss::kAfterCrash});
}

// The values came over a connection that is gone, and the new one leads to the writer that is known: nobody knows who
// gave the values.
TEST(AboveMarks, AWriterOverANewerConnectionSaysNothingAboutTheValues) {
  Marked marked({{111, 7}, {133, 7}}, 132);
  marked.host.on_ask = [&](const Operation& operation) {
    if (operation.kind == Kind::kWriter) ++marked.host.connection;
  };
  EXPECT_EQ(marked.Take(), 133);
  EXPECT_EQ(marked.host.losses, std::vector{Loss::kAfterCrash});
}

TEST(AboveMarks, AWriterOverANewerConnectionIsNotNotedForTheValues) {
  Marked marked({{101, 7}, {102, 7}});
  marked.host.on_ask = [&](const Operation& operation) {
    if (operation.kind == Kind::kWriter) ++marked.host.connection;
  };
  EXPECT_EQ(marked.Take(), 101);
  EXPECT_EQ(marked.host.session().writer_connection, 2u);
  const Known known = marked.host.LockMarks().Find(marked.host.HashOf(marked.key.key));
  marked.host.UnlockMarks();
  EXPECT_EQ(known.writer, marked.host.self() << 32 | 1) << "a number that no writer has";
}

// Another store's latest value may be the same, and somebody else's.
TEST(AboveMarks, ARaiseOverANewConnectionDoesNotNameTheRejectedValues) {
  Marked marked({{111, 7}, {133, 7}}, 132);
  marked.host.on_ask = [&](const Operation& operation) {
    if (operation.kind == Kind::kWriter) ++marked.host.connection;
  };
  EXPECT_EQ(marked.Take(3), 133);
  ASSERT_EQ(marked.asked().size(), 2u);
  EXPECT_EQ(marked.asked()[1].value, kNoValue);
}

TEST(AboveMarks, ARaiseThatNamesTheRejectedValuesGoesOverTheirConnectionOnly) {
  Marked marked({{51, 7}, {101, 7}});
  marked.host.on_ask = [&](const Operation& operation) {
    if (operation.kind == Kind::kRaise && marked.host.connection == 1) ++marked.host.connection;
  };
  EXPECT_EQ(marked.Take(3), 101);
  ASSERT_EQ(marked.asked().size(), 2u);
  EXPECT_EQ(marked.asked()[1].value, kNoValue);
  EXPECT_EQ(marked.asked()[1].only_over, 0u);
}

// The connection is lost just before the raise, and the new one leads to another master, whose latest value is the one
// that was rejected. It was given to somebody else, and too few are left for the request.
TEST(AboveMarks, ARaiseThatReachesAnotherMasterDoesNotLowerItsValue) {
  Marked marked({});
  marked.key.definition = {.max_value = 106};
  sim::sequences::KeyState masters[] = {{.there = true, .value = 96, .generation = 7},
                                        {.there = true, .value = 103, .generation = 7}};
  marked.host.on_ask = [&](const Operation& operation) {
    if (operation.kind == Kind::kRaise) marked.host.connection = 2;
  };
  marked.host.answer = [&](const Operation& operation, const StoreKey&) {
    return Apply(masters[marked.host.connection - 1], operation, 3000, marked.host.connection, {});
  };
  EXPECT_EQ(marked.Ask(7).outcome, Outcome::kFull);
  EXPECT_EQ(marked.host.losses, std::vector{Loss::kSure});
  EXPECT_EQ(masters[1].value, 103);
}

TEST(AboveMarks, RejectedValuesAreGivenAgain) {
  for (const int64_t max_value : {107, 106}) {
    Marked marked({});
    marked.key.definition = {.max_value = max_value};
    sim::sequences::KeyState master = {.there = true, .value = 96, .generation = 7};
    marked.host.answer = [&](const Operation& operation, const StoreKey&) {
      return Apply(master, operation, 3000, kWriter, {});
    };
    const Answer answer = marked.Ask(7);
    EXPECT_EQ(answer.outcome, max_value == 107 ? Outcome::kOk : Outcome::kFull);
    EXPECT_EQ(master.value, max_value == 107 ? 107 : 100);
  }
}

TEST(AboveMarks, TheWriterIsAskedOncePerConnection) {
  Marked marked({{101, 7}, {102, 7}, {103, 7}});
  marked.Take();
  marked.Take();
  EXPECT_EQ(marked.host.asked.size(), 3u);
  ++marked.host.connection;
  marked.Take();
  EXPECT_EQ(marked.host.asked.size(), 5u);
}

TEST(AboveMarks, ADoubtfulValueIsNotGiven) {
  Marked marked({{101, 7}, {104, 7}});
  marked.host.on_ask = GivenMeanwhile(marked, {103});
  EXPECT_EQ(marked.Take(3), 104);
  ASSERT_EQ(marked.asked().size(), 2u);
  EXPECT_EQ(marked.asked()[1].kind, Kind::kRaise);
  EXPECT_EQ(marked.asked()[1].mark.value, 103) << "above the value that was not accepted, too";
  EXPECT_EQ(marked.noted().value, 106);
  EXPECT_EQ(marked.host.losses, std::vector{Loss::kDoubtful});
}

TEST(AboveMarks, AStoreThatRepeatsValuesIsNotRaisedWithoutAPause) {
  Marked marked({{51, 7}, {51, 7}, {51, 7}, {101, 7}});
  EXPECT_EQ(marked.Take(), 101);
  EXPECT_EQ(marked.host.pauses, (std::vector<std::pair<int64_t, int>>{{51, 1}, {51, 2}}));
}

}  // namespace
}  // namespace idgen::sequencer
