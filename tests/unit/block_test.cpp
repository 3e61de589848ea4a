// A backend's block: taking from it, refilling it, counting.
#include "core/block.h"

#include <gtest/gtest.h>

#include "support.h"

namespace idgen::core {
namespace {

constexpr int64_t kCoarseNs = 1000000;

// A backend on the server's only line. Its id clock is the server's, its coarse clock stands until a test moves it.
struct Backend {
  Backend() {
    server.Publish(5, kNowMs + 1000000);
    ClaimSlot(slot, 4711, 0);
  }

  Reservation Refill(uint64_t need = 1) {
    return core::Refill<PlainMemory>(
        *server.state, slot, need, [this] { return CoarseNs(); }, [this] { return now_us; });
  }
  bool Take(Position* position, uint32_t line = 0) {
    return TakeFromBlock(
        slot, line, [this] { return CoarseNs(); }, position);
  }
  int64_t CoarseNs() {
    ++coarse_reads;
    return coarse_ns;
  }
  uint64_t TakeAll() {
    uint64_t taken = 0;
    for (Position position; Take(&position);) ++taken;
    return taken;
  }

  Server server;
  BackendSlot slot{};
  int64_t now_us = kNowMs * kUsPerMs;
  int64_t coarse_ns = kCoarseNs;
  int coarse_reads = 0;
};

TEST(Block, AFreshSlotHasNothingToTake) {
  Backend backend;
  Position position = 0;
  EXPECT_FALSE(backend.Take(&position));
  EXPECT_EQ(IdsIssued(backend.slot), 0u);
  EXPECT_EQ(backend.slot.pid, 4711);
}

TEST(Block, HandsOutEachPositionOnceInOrder) {
  Backend backend;
  const Reservation block = backend.Refill(3);
  EXPECT_EQ(backend.slot.worker, 5u);
  Position position = 0;
  for (Position expected = block.start; expected < block.start + 3; ++expected) {
    ASSERT_TRUE(backend.Take(&position));
    EXPECT_EQ(position, expected);
  }
  EXPECT_FALSE(backend.Take(&position));
}

TEST(Block, StartsAtOneAndDoublesWhileUsedUpWithinATick) {
  Backend backend;
  for (const uint64_t size : {1, 2, 4, 8, 16, 32, 64, 128, 256, 256}) {
    EXPECT_EQ(backend.Refill().count, size);
    EXPECT_EQ(backend.TakeAll(), size);
    backend.now_us += 99;
  }
}

TEST(Block, DoublesUpToATicksLengthAfterTheReservation) {
  Backend backend;
  backend.Refill();
  backend.TakeAll();
  backend.now_us += kUsPerMs;
  EXPECT_EQ(backend.Refill().count, 2u);
  backend.TakeAll();
  backend.now_us += kUsPerMs + 1;
  EXPECT_EQ(backend.Refill().count, 1u);
}

TEST(Block, StartsAtOneAgainWhenItWasNotUsedUp) {
  Backend backend;
  backend.Refill();
  backend.TakeAll();
  ASSERT_EQ(backend.Refill().count, 2u);
  EXPECT_EQ(backend.Refill().count, 1u);
}

TEST(Block, OfASizeOfOneNeverGrows) {
  Backend backend;
  backend.server.state->block_size = 1;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(backend.Refill().count, 1u);
    EXPECT_EQ(backend.TakeAll(), 1u);
  }
}

TEST(Block, HasWhatIsNeededEvenBeyondTheSizeSetting) {
  Backend backend;
  backend.server.state->block_size = 4;
  EXPECT_EQ(backend.Refill(1000).count, 1000u);
  backend.TakeAll();
  EXPECT_EQ(backend.Refill().count, 4u);
}

// So that a reservation always gives an id, however long its backend was kept from the processor.
TEST(Block, GivesItsFirstPositionHoweverLateItIs) {
  Backend backend;
  const Reservation block = backend.Refill(2);
  backend.coarse_ns += 1000 * kMaxBlockAgeNs;
  EXPECT_EQ(TakePosition(backend.slot), block.start);
  EXPECT_EQ(IdsIssued(backend.slot), 1u);
  Position position = 0;
  EXPECT_FALSE(backend.Take(&position));
}

TEST(Block, RemembersTheFarthestThatItRanAheadOfTheIdClock) {
  Backend backend;
  backend.Refill();
  EXPECT_EQ(backend.slot.max_drift_ms, 0u);
  backend.Refill(4096 * 500);
  EXPECT_EQ(backend.slot.max_drift_ms, 500u);
  backend.now_us += 1000 * kUsPerMs;
  backend.Refill();
  EXPECT_EQ(backend.slot.max_drift_ms, 500u);
  LineTotals& totals = backend.server.line.totals;
  totals.max_drift_ms = 400;
  SettleCounters(backend.slot, totals);
  EXPECT_EQ(totals.max_drift_ms, 500u);
  EXPECT_EQ(backend.slot.max_drift_ms, 0u);
  SettleCounters(backend.slot, totals);
  EXPECT_EQ(totals.max_drift_ms, 500u);
}

TEST(Block, IsStaleFromItsExpiryOnTheCoarseClock) {
  Backend backend;
  backend.Refill(2);
  Position position = 0;
  backend.coarse_ns = kCoarseNs + kMaxBlockAgeNs - 1;
  EXPECT_TRUE(backend.Take(&position));
  backend.coarse_ns = kCoarseNs + kMaxBlockAgeNs;
  EXPECT_FALSE(backend.Take(&position));
}

// It is half the price of an id: neither a used-up block nor one of a single position costs it.
TEST(Block, ReadsTheCoarseClockOnlyIfAgeMatters) {
  Backend backend;
  Position position = 0;
  backend.Refill(1);
  TakePosition(backend.slot);
  EXPECT_FALSE(backend.Take(&position));
  EXPECT_EQ(backend.coarse_reads, 0);
  backend.Refill(2);
  EXPECT_EQ(backend.coarse_reads, 1);
  EXPECT_TRUE(backend.Take(&position));
  EXPECT_EQ(backend.coarse_reads, 2);
}

TEST(Block, IsOnlyForItsLine) {
  Backend backend;
  backend.Refill(2);
  Position position = 0;
  EXPECT_FALSE(backend.Take(&position, 1));
  EXPECT_TRUE(backend.Take(&position, 0));
}

TEST(Block, WhatIsDroppedIsCountedAsLost) {
  Backend backend;
  backend.Refill(5);
  Position position = 0;
  backend.Take(&position);
  DropBlock(backend.slot);
  EXPECT_EQ(backend.slot.lost, 4u);
  EXPECT_EQ(IdsIssued(backend.slot), 1u);
  EXPECT_FALSE(backend.Take(&position));
  DropBlock(backend.slot);
  EXPECT_EQ(backend.slot.lost, 4u);
}

TEST(Block, ARefillDropsTheRestOfThePreviousBlock) {
  Backend backend;
  const Reservation first = backend.Refill(5);
  EXPECT_GE(backend.Refill().start, first.start + 5);
  EXPECT_EQ(backend.slot.lost, 5u);
  EXPECT_EQ(backend.slot.blocks, 2u);
  EXPECT_EQ(backend.slot.reserved, 6u);
  EXPECT_EQ(IdsIssued(backend.slot), 0u);
  EXPECT_EQ(backend.TakeAll(), 1u);
  EXPECT_EQ(IdsIssued(backend.slot), 1u);
}

TEST(Block, ARefusedRefillLeavesNoBlock) {
  Backend backend;
  backend.Refill(5);
  Withdraw<PlainMemory>(*backend.server.state);
  EXPECT_EQ(backend.Refill().outcome, ReservationOutcome::kNoIdentity);
  Position position = 0;
  EXPECT_FALSE(backend.Take(&position));
  EXPECT_EQ(backend.slot.lost, 5u);
  EXPECT_EQ(backend.slot.blocks, 1u);
}

TEST(Block, RemembersTheWorkerItWasReservedUnder) {
  Backend backend;
  backend.Refill(2);
  backend.server.Publish(6, kNowMs + 1000000);
  EXPECT_EQ(backend.slot.worker, 5u);
  backend.Refill();
  EXPECT_EQ(backend.slot.worker, 6u);
}

TEST(Block, IdsIssuedIsWhatWasReservedLessWhatIsLostOrUnused) {
  BackendSlot slot{};
  slot.reserved = 100;
  slot.lost = 30;
  slot.cur = 7;
  slot.end = 17;
  EXPECT_EQ(IdsIssued(slot), 60u);
  slot.lost = 95;  // a reader between two of the backend's stores
  EXPECT_EQ(IdsIssued(slot), 0u);
}

TEST(Block, SettlingMovesEveryCounterToTheLinesTotals) {
  Backend backend;
  LineTotals& totals = backend.server.line.totals;
  totals.ids = 1000;
  backend.Refill(5);
  Position position = 0;
  backend.Take(&position);
  backend.slot.waits = 2;
  backend.slot.waited_us = 300;
  SettleCounters(backend.slot, totals);
  EXPECT_EQ(totals.ids, 1001u);
  EXPECT_EQ(totals.blocks, 1u);
  EXPECT_EQ(totals.lost_ids, 4u);
  EXPECT_EQ(totals.waits, 2u);
  EXPECT_EQ(totals.waited_us, 300u);
  EXPECT_FALSE(backend.Take(&position));
  SettleCounters(backend.slot, totals);
  EXPECT_EQ(totals.ids, 1001u);
  EXPECT_EQ(totals.lost_ids, 4u);
  EXPECT_EQ(totals.waits, 2u);
}

TEST(Block, AClaimedSlotKeepsNothingOfItsPreviousProcess) {
  Backend backend;
  backend.Refill(5);
  backend.slot.waits = 2;
  backend.slot.waited_us = 300;
  backend.slot.max_drift_ms = 7;
  backend.slot.waiting_since_us = 1;
  backend.slot.pid = 0;
  ClaimSlot(backend.slot, 4712, 0);
  Position position = 0;
  EXPECT_FALSE(backend.Take(&position));
  EXPECT_EQ(IdsIssued(backend.slot), 0u);
  for (const auto* counter : {&backend.slot.reserved, &backend.slot.blocks, &backend.slot.lost, &backend.slot.waits,
                              &backend.slot.waited_us, &backend.slot.max_drift_ms, &backend.slot.waiting_since_us})
    EXPECT_EQ(*counter, 0u);
  EXPECT_EQ(backend.slot.pid, 4712);
  EXPECT_EQ(backend.Refill().count, 1u);
}

}  // namespace
}  // namespace idgen::core
