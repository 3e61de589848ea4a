// Taking values of a slot, fetching when it runs out, waiting for another process that fetches, setting a key while it
// is fetched for, and what is left when the call is left in the middle.
#include <gtest/gtest.h>

#include "sequence_host.h"

namespace idgen::sequencer {
namespace {

using Kind = Operation::Kind;
using Outcome = Answer::Outcome;
using Values = std::vector<int64_t>;

constexpr int64_t kTimeoutUs = 2000000;

class TakeValuesTest : public testing::Test {
 protected:
  Answer Take(TestKey& key, int64_t count) {
    host.values.clear();
    int64_t taken = 0;
    const Answer answer = TakeValues(host, key.name(), count, host.now_us + kTimeoutUs, &taken);
    EXPECT_EQ(taken, static_cast<int64_t>(host.values.size()));
    EXPECT_EQ(host.locks, 0);
    return answer;
  }
  Slot& SlotOf(TestKey& key) { return *host.slots().Find(key.name()); }
  int Asked(Kind kind) {
    return static_cast<int>(
        std::count_if(host.asked.begin(), host.asked.end(), [=](const Operation& it) { return it.kind == kind; }));
  }

  TestHost host;
  TestKey a{"a", {.cache = 100}}, b{"b", {.cache = 100}};
};

TEST_F(TakeValuesTest, TheFirstValueIsASegmentOfItsOwn) {
  EXPECT_EQ(Take(a, 1).outcome, Outcome::kOk);
  EXPECT_EQ(host.values, Values{1});
  EXPECT_EQ(Asked(Kind::kSegment), 1);
  EXPECT_EQ(host.session().own_fetch, nullptr);
  EXPECT_EQ(SlotOf(a).fetcher, 0u);
}

TEST_F(TakeValuesTest, ABatchFetchesWhatItLacks) {
  EXPECT_EQ(Take(a, 10).outcome, Outcome::kOk);
  EXPECT_EQ(host.values, (Values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(Asked(Kind::kSegment), 1);
}

TEST_F(TakeValuesTest, SegmentsGrowWhileTheyAreUsedUpAtOnce) {
  for (int i = 0; i < 15; ++i) Take(a, 1);
  EXPECT_EQ(Asked(Kind::kSegment), 4);  // 1, 2, 4, 8
  EXPECT_EQ(SlotOf(a).size, 8);
}

TEST_F(TakeValuesTest, ASlotThatRunsLowIsQueuedOnce) {
  Take(a, 10);
  const Slot& slot = SlotOf(a);
  EXPECT_EQ(slot.wanted.load(), 1u);
  EXPECT_EQ(host.slots().Dequeue(), &slot);
  EXPECT_EQ(host.slots().Dequeue(), nullptr);
}

TEST_F(TakeValuesTest, NearTheMaximumABatchGetsWhatIsLeft) {
  a.definition.max_value = 5;
  EXPECT_EQ(Take(a, 10).outcome, Outcome::kOk);
  EXPECT_EQ(host.values, (Values{1, 2, 3, 4, 5}));
  EXPECT_EQ(Take(a, 10).outcome, Outcome::kFull);
  EXPECT_EQ(host.values, Values{});
}

TEST_F(TakeValuesTest, WaitsForAnotherFetcherAndTakesFromItsSegment) {
  Take(a, 1);
  Slot& slot = SlotOf(a);
  slot.fetcher = 99;
  host.on_wait = [&] {
    slot.fetcher = 0;
    Put<core::PlainMemory>(slot.segments, 2, 5);
  };
  Take(a, 1);
  EXPECT_EQ(host.values, Values{2});
  EXPECT_EQ(Asked(Kind::kSegment), 1);
  EXPECT_EQ(slot.waits.load(), 2u);
}

TEST_F(TakeValuesTest, GivesUpWhenTheFetcherTakesTooLong) {
  Take(a, 1);
  SlotOf(a).fetcher = 99;
  EXPECT_THROW(Take(a, 1), CallFailed);
}

TEST_F(TakeValuesTest, ASegmentThatWasRequestedBeforeASetIsNotPut) {
  bool is_set = false;
  host.on_ask = [&](const Operation& operation) {
    if (operation.kind != Kind::kSegment || is_set) return;
    is_set = true;
    host.slots().Forget<core::PlainMemory>(a.key, host.store(), a.name().hash);
  };
  EXPECT_EQ(Take(a, 1).outcome, Outcome::kOk);
  EXPECT_EQ(host.values, Values{2}) << "the first segment is lost";
  EXPECT_EQ(Asked(Kind::kSegment), 2);
}

TEST_F(TakeValuesTest, AnErrorDuringAFetchLetsOthersFetch) {
  host.on_ask = [](const Operation&) { throw CallFailed{"no answer"}; };
  EXPECT_THROW(Take(a, 1), CallFailed);
  EXPECT_EQ(SlotOf(a).fetcher, host.self());
  Abandon(host);
  EXPECT_EQ(SlotOf(a).fetcher, 0u);
  EXPECT_EQ(host.fetch_wakes, 1);
  host.on_ask = nullptr;
  EXPECT_EQ(Take(a, 1).outcome, Outcome::kOk);
}

TEST_F(TakeValuesTest, TheLeastRecentlyUsedKeyGivesUpItsSlotAndItsRemainderGoesBack) {
  TestHost small(1);
  int64_t taken;
  TakeValues(small, a.name(), 1, small.now_us + kTimeoutUs, &taken);
  TakeValues(small, a.name(), 1, small.now_us + kTimeoutUs, &taken);  // of a segment of two
  small.next = 100;
  TakeValues(small, b.name(), 1, small.now_us + kTimeoutUs, &taken);
  ASSERT_GE(small.asked.size(), 2u);
  const auto back = std::find_if(small.asked.begin(), small.asked.end(),
                                 [](const Operation& it) { return it.kind == Kind::kReturn; });
  ASSERT_NE(back, small.asked.end());
  EXPECT_EQ(back->value, 3);
  EXPECT_EQ(back->count, 1);
  EXPECT_EQ(back->number, 2);
  EXPECT_EQ(small.slots().Find(a.name()), nullptr);
}

TEST_F(TakeValuesTest, ASlotWithAFetchInProgressIsNotGivenAway) {
  TestHost small(1);
  int64_t taken;
  TakeValues(small, a.name(), 1, small.now_us + kTimeoutUs, &taken);
  Slot& slot = *small.slots().Find(a.name());
  slot.fetcher = 99;
  EXPECT_THROW(TakeValues(small, b.name(), 1, small.now_us + kTimeoutUs, &taken), CallFailed);
  small.on_wait = [&] { slot.fetcher = 0; };
  EXPECT_EQ(TakeValues(small, b.name(), 1, small.now_us + kTimeoutUs, &taken).outcome, Outcome::kOk);
}

TEST_F(TakeValuesTest, ATakerWhoseSlotIsGoneFindsAnother) {
  TestHost small(1);
  int64_t taken;
  TakeValues(small, a.name(), 1, small.now_us + kTimeoutUs, &taken);
  Slot& slot = *small.session().slot;
  const uint64_t tenure = small.session().tenure;
  TakeValues(small, b.name(), 1, small.now_us + kTimeoutUs, &taken);
  EXPECT_EQ(TakeFromSlot(small, slot, tenure, 1, 1).result, Range::Result::kGone);
  EXPECT_TRUE(BeginFetchIfShort(small, slot, tenure, 5, false).is_gone);
}

TEST_F(TakeValuesTest, ValuesOfAFetchedSegmentAreSafeWhenItsMarkIsSynced) {
  Take(a, 1);
  EXPECT_GT(host.awaited, 0u);
  EXPECT_EQ(host.syncs, 0);
  SyncBeforeCommit(host, host.awaited, false, INT64_MAX);
  EXPECT_EQ(host.syncs, 1);
  EXPECT_GE(host.marks_synced(), host.awaited);
}

TEST_F(TakeValuesTest, ASetClosesTheSegmentsOfTheKey) {
  Take(a, 1);
  Take(a, 1);
  Operation set = {.kind = Kind::kSet, .definition = a.definition, .value = 500};
  EXPECT_EQ(ChangeKey(host, set, a.key, a.name().hash, host.now_us + kTimeoutUs).outcome, Outcome::kOk);
  EXPECT_FALSE(host.session().change.is_open);
  Take(a, 1);
  EXPECT_EQ(host.values, Values{501});
}

TEST_F(TakeValuesTest, ASetWithoutAnAnswerClosesThemToo) {
  Take(a, 3);
  Take(a, 1);
  host.on_ask = [](const Operation&) { throw CallFailed{"no answer"}; };
  Operation set = {.kind = Kind::kSet, .definition = a.definition, .value = 500};
  EXPECT_THROW(ChangeKey(host, set, a.key, a.name().hash, host.now_us + kTimeoutUs), CallFailed);
  EXPECT_TRUE(host.session().change.is_open);
  Abandon(host);
  EXPECT_FALSE(host.session().change.is_open);
  EXPECT_EQ(CountLeft<core::PlainMemory>(SlotOf(a).segments), 0);
}

TEST_F(TakeValuesTest, ARefusedSetLeavesThemOpen) {
  Take(a, 1);
  Take(a, 1);
  host.answer = [](const Operation&, const StoreKey&) {
    Answer answer;
    answer.outcome = Outcome::kOk;  // and had is false: the key has a value
    return answer;
  };
  Operation set = {.kind = Kind::kSetIfNone, .definition = a.definition, .value = 500};
  ChangeKey(host, set, a.key, a.name().hash, host.now_us + kTimeoutUs);
  EXPECT_EQ(CountLeft<core::PlainMemory>(SlotOf(a).segments), 1);
}

TEST_F(TakeValuesTest, ThePrefetcherPutsTheNextSegmentAndSyncsItsMarkFirst) {
  Take(a, 10);
  Slot* wanted = NextWanted(host);
  ASSERT_EQ(wanted, &SlotOf(a));
  EXPECT_TRUE(Prefetch(host, *wanted, host.now_us + kTimeoutUs));
  EXPECT_TRUE(HasReady<core::PlainMemory>(wanted->segments));
  EXPECT_EQ(host.syncs, 1);
  EXPECT_EQ(wanted->wanted.load(), 0u);
  EXPECT_TRUE(Prefetch(host, *wanted, host.now_us + kTimeoutUs)) << "it is not wanted any more";
}

TEST_F(TakeValuesTest, APrefetchThatFailsIsQueuedAgain) {
  Take(a, 10);
  Slot* wanted = NextWanted(host);
  host.on_ask = [](const Operation&) { throw CallFailed{"no answer"}; };
  EXPECT_FALSE(Prefetch(host, *wanted, host.now_us + kTimeoutUs));
  EXPECT_EQ(wanted->fetcher, 0u);
  EXPECT_EQ(wanted->wanted.load(), 1u);
  EXPECT_EQ(NextWanted(host), wanted);
}

TEST_F(TakeValuesTest, APrefetcherThatStartsQueuesWhatRunsLow) {
  Take(a, 10);
  Take(b, 1);
  Take(b, 1);        // of a segment of two
  NextWanted(host);  // by a predecessor that has ended
  RefillQueue(host);
  EXPECT_EQ(NextWanted(host), &SlotOf(a));
  EXPECT_EQ(NextWanted(host), nullptr);
}

TEST_F(TakeValuesTest, AtTheStopAllRemaindersGoBack) {
  Take(a, 1);
  Take(a, 1);
  Take(b, 1);
  GiveAllBack(host, host.now_us + kTimeoutUs);
  EXPECT_EQ(Asked(Kind::kReturn), 1) << "b has none";
}

TEST_F(TakeValuesTest, RemaindersForAnotherStoreAreLost) {
  Take(a, 1);
  Take(a, 1);
  host.store_identity = 6;
  GiveAllBack(host, host.now_us + kTimeoutUs);
  EXPECT_EQ(Asked(Kind::kReturn), 0);
}

}  // namespace
}  // namespace idgen::sequencer
