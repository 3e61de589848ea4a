// Slots by key, store and definition; the choice of the slot that goes to another key; the queue.
#include "sequencer/slot_table.h"

#include <gtest/gtest.h>

#include <string>

#include "sequence_host.h"

namespace idgen::sequencer {
namespace {

using Memory = core::PlainMemory;

Slot* Make(TestHost& host, const TestKey& key) {
  ReturnedRemainder remainder;
  return host.slots().MakeSlot<Memory>(key.name(), &remainder);
}

TEST(SlotTable, FindsItsSlots) {
  TestHost host;
  TestKey a("a", {.cache = 10}), b("b", {.cache = 10});
  EXPECT_EQ(host.slots().Find(a.name()), nullptr);
  Slot* slot = Make(host, a);
  EXPECT_EQ(host.slots().Find(a.name()), slot);
  EXPECT_EQ(host.slots().Find(b.name()), nullptr);
  EXPECT_EQ(slot->store_key().value(), a.key.value());
}

TEST(SlotTable, AKeyHasASlotPerStoreAndDefinition) {
  TestHost host;
  TestKey a("a", {.cache = 10}), wider("a", {.step = 2, .cache = 10});
  Slot* slot = Make(host, a);
  EXPECT_EQ(host.slots().Find(wider.name()), nullptr);
  SlotName elsewhere = a.name();
  elsewhere.store = 6;
  EXPECT_EQ(host.slots().Find(elsewhere), nullptr);
  EXPECT_NE(Make(host, wider), slot);
}

TEST(SlotTable, ManyKeysShareBuckets) {
  TestHost host(64);
  std::vector<std::unique_ptr<TestKey>> keys;
  for (int i = 0; i < 64; ++i) {
    keys.push_back(std::make_unique<TestKey>(std::to_string(i).c_str(), Definition{.cache = 10}));
    ASSERT_NE(Make(host, *keys.back()), nullptr);
  }
  for (const auto& key : keys) EXPECT_NE(host.slots().Find(key->name()), nullptr);
  EXPECT_EQ(host.slots().used_count(), 64);
}

TEST(SlotTable, TheLeastRecentlyUsedSlotGoesToAnotherKey) {
  TestHost host(3);
  TestKey a("a", {.cache = 10}), b("b", {.cache = 10}), c("c", {.cache = 10}), d("d", {.cache = 10});
  Slot* slot_a = Make(host, a);
  Slot* slot_b = Make(host, b);
  Make(host, c);
  host.slots().NoteUse(*slot_a);
  EXPECT_EQ(Make(host, d), slot_b);
  EXPECT_EQ(host.slots().Find(b.name()), nullptr);
  EXPECT_NE(host.slots().Find(a.name()), nullptr);
}

TEST(SlotTable, ASlotWithAFetchInProgressStays) {
  TestHost host(2);
  TestKey a("a", {.cache = 10}), b("b", {.cache = 10}), c("c", {.cache = 10}), d("d", {.cache = 10});
  Slot* slot_a = Make(host, a);
  Slot* slot_b = Make(host, b);
  slot_a->fetcher = 1;
  EXPECT_EQ(Make(host, c), slot_b);
  slot_b->fetcher = 1;
  EXPECT_EQ(Make(host, d), nullptr);
}

TEST(SlotTable, ForgetClosesTheKeysSlotsOfOneStore) {
  TestHost host;
  TestKey a("a", {.cache = 10}), wider("a", {.step = 2, .cache = 10}), b("b", {.cache = 10});
  for (const TestKey* key : {&a, &wider, &b}) Put<Memory>(Make(host, *key)->segments, 10, 5);
  host.slots().Forget<Memory>(a.key, 6, a.name().hash);
  EXPECT_EQ(CountLeft<Memory>(host.slots().Find(a.name())->segments), 5);
  host.slots().Forget<Memory>(a.key, 5, a.name().hash);
  EXPECT_EQ(CountLeft<Memory>(host.slots().Find(a.name())->segments), 0);
  EXPECT_EQ(CountLeft<Memory>(host.slots().Find(wider.name())->segments), 0);
  EXPECT_EQ(CountLeft<Memory>(host.slots().Find(b.name())->segments), 5);
  EXPECT_EQ(host.slots().Find(a.name())->changes, 1u);
}

TEST(SlotTable, NothingBelowZeroGoesBackToTheStore) {
  TestHost host;
  TestKey key("a", {.start = 0, .step = 1, .cache = 10});
  Slot* slot = Make(host, key);
  Put<Memory>(slot->segments, 0, 5);
  ReturnedRemainder remainder;
  CloseSlot<Memory>(*slot, &remainder);
  EXPECT_EQ(remainder.operation.count, 4);
  EXPECT_EQ(remainder.operation.value, 4);
}

TEST(SlotTable, TheQueueRefusesWhatItCannotHold) {
  TestHost host(4, 2);
  TestKey a("a", {.cache = 10}), b("b", {.cache = 10}), c("c", {.cache = 10});
  Slot *slot_a = Make(host, a), *slot_b = Make(host, b), *slot_c = Make(host, c);
  EXPECT_TRUE(host.slots().Enqueue(*slot_a));
  EXPECT_TRUE(host.slots().Enqueue(*slot_b));
  EXPECT_FALSE(host.slots().Enqueue(*slot_c));
  EXPECT_EQ(host.slots().Dequeue(), slot_a);
  EXPECT_TRUE(host.slots().Enqueue(*slot_c));
  EXPECT_EQ(host.slots().Dequeue(), slot_b);
  EXPECT_EQ(host.slots().Dequeue(), slot_c);
  EXPECT_EQ(host.slots().Dequeue(), nullptr);
}

}  // namespace
}  // namespace idgen::sequencer
