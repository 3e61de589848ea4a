// The keeper of a standby that leases in advance: it holds and renews a worker id without publishing it, and publishes it
// at the promotion without its store.
#include "lease/keeper.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "keeper_lease_world.h"

namespace idgen::lease {
namespace {

using core::kMsPerMinute;
using core::kMsPerSecond;
using core::ReservationOutcome;
using Kind = SourceRequest::Kind;

struct Standby : private LeaseBook, LeaseWorld {
  Standby() : LeaseWorld(static_cast<LeaseBook&>(*this)) { wishes.in_recovery = true; }

  core::Identity Withheld() const { return core::Identity(state->withheld); }
  // The promotion, with a store that does not reply from before it, and a renewal under way.
  void PromoteWithoutStore() {
    lease.silent = true;
    Pass(kRenewMs);
    Turn();
    wishes.in_recovery = false;
    Turn();
  }
};

TEST(KeeperStandby, HoldsAWorkerIdAndPublishesNothing) {
  Standby world;
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.phase(), Phase::kHolding);
  EXPECT_TRUE(world.keeper->view().withheld);
  EXPECT_EQ(world.Withheld().worker(), 0u);
  EXPECT_GT(world.Withheld().ceiling_ms(), world.wall_ms + kMaxAheadMs);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kNoIdentity);
  EXPECT_GE(world.Asked(Kind::kRaise), kMsPerMinute / kRenewMs);
  EXPECT_EQ(world.Asked(Kind::kSettle), 0);
  for (const SourceRequest& request : world.lease.requests) EXPECT_TRUE(request.in_recovery);
  EXPECT_EQ(world.Count(Event::Kind::kWithheld), 1);
  EXPECT_EQ(world.Count(Event::Kind::kPublished), 0);
}

TEST(KeeperStandby, PublishesAtThePromotionWithoutItsStore) {
  Standby world;
  world.Run(kMsPerMinute);
  const int64_t ceiling_ms = world.Withheld().ceiling_ms();
  world.PromoteWithoutStore();
  EXPECT_EQ(world.Published().worker(), 0u);
  EXPECT_EQ(world.Published().ceiling_ms(), ceiling_ms);
  EXPECT_FALSE(world.Withheld());
  EXPECT_FALSE(world.keeper->view().withheld);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  EXPECT_EQ(world.Count(Event::Kind::kPublished), 1);
}

TEST(KeeperStandby, IssuesIdsAboveItsFloorUpToTheCeilingGrantedBeforeThePromotion) {
  Standby world;
  world.Run(kMsPerMinute);
  const int64_t ceiling_ms = world.Withheld().ceiling_ms(), floor_ms = world.keeper->view().floor_ms;
  world.PromoteWithoutStore();
  EXPECT_GE(world.FirstIdMs(), floor_ms);
  world.Run(kLeadMs);
  world.UseUp();
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
  EXPECT_LE(world.line.next, core::PositionAt(world.line.layout, ceiling_ms));
}

TEST(KeeperStandby, RenewsAtOnceAfterThePromotion) {
  Standby world;
  world.Run(kMsPerMinute);
  const int raised = world.Asked(Kind::kRaise);
  world.wishes.in_recovery = false;
  world.Run(1);
  EXPECT_EQ(world.Asked(Kind::kRaise), raised + 1);
  EXPECT_FALSE(world.lease.requests.back().in_recovery);
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.Asked(Kind::kSettle), 1);
  EXPECT_GT(world.Published().ceiling_ms(), world.wall_ms + kMaxAheadMs);
}

// Another server may have the worker id by then. It began at this ceiling.
TEST(KeeperStandby, AfterALongPauseIsBoundByItsOldCeiling) {
  Standby world;
  world.Run(kMsPerMinute);
  world.Pass(kHourMs);
  world.lease.silent = true;
  world.wishes.in_recovery = false;
  world.Turn();
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
  world.lease.silent = false;
  world.lease.Deprive();
  world.Run(10);
  EXPECT_EQ(world.Published().worker(), 1u);
}

TEST(KeeperStandby, ALostLeaseIsClaimedAgain) {
  Standby world;
  world.Run(kMsPerSecond);
  world.lease.Deprive();
  world.Run(kRenewMs + 10);
  EXPECT_EQ(world.Count(Event::Kind::kLost), 1);
  EXPECT_TRUE(world.Last(Event::Kind::kLost).withheld);
  EXPECT_EQ(world.Withheld().worker(), 1u);
  EXPECT_FALSE(world.Published());
  world.PromoteWithoutStore();
  EXPECT_EQ(world.Published().worker(), 1u);
}

TEST(KeeperStandby, BetweenALossAndTheNextClaimNothingIsHeld) {
  Standby world;
  world.Run(kMsPerSecond);
  world.lease.Deprive();
  world.book.workers = 1;
  world.Run(kRenewMs + 10);
  EXPECT_FALSE(world.Withheld());
  world.wishes.in_recovery = false;
  world.Turn();
  EXPECT_FALSE(world.Published());
}

// ---- worker processes that end

TEST(KeeperStandby, TheNextWorkerProcessContinuesWithTheWorkerId) {
  Standby world;
  world.Run(kMsPerSecond);
  world.RestartKeeper(/*of_identity=*/true);
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  EXPECT_FALSE(world.Published());
  world.PromoteWithoutStore();
  EXPECT_EQ(world.Published().worker(), 0u);
}

TEST(KeeperStandby, AWorkerProcessThatStartsAfterThePromotionPublishesAtOnce) {
  Standby world;
  world.Run(kMsPerSecond);
  world.lease.silent = true;
  world.wishes.in_recovery = false;
  world.RestartKeeper(/*of_identity=*/true);
  world.Turn();
  EXPECT_EQ(world.Published().worker(), 0u);
  EXPECT_EQ(world.Asked(Kind::kSettle), 1);
}

TEST(KeeperStandby, TheNextWorkerProcessDropsAWorkerIdOfAnotherSource) {
  Standby world;
  world.Run(kMsPerSecond);
  world.RestartKeeper(/*of_identity=*/false);
  EXPECT_FALSE(world.Withheld());
  world.wishes.in_recovery = false;
  world.lease.silent = true;
  world.Turn();
  EXPECT_FALSE(world.Published());
}

// ---- promotions at other moments

TEST(KeeperStandby, AClaimUnderWayAtThePromotionIsSettledBeforeItIsPublished) {
  Standby world;
  world.lease.silent = true;
  world.Turn();
  world.wishes.in_recovery = false;
  world.Turn();
  EXPECT_EQ(world.Asked(Kind::kSettle), 0);
  world.lease.silent = false;
  world.lease.past_ms = kNowMs + 5000;
  world.Start();
  EXPECT_EQ(world.Asked(Kind::kSettle), 1);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  EXPECT_GE(world.FirstIdMs(), kNowMs + 5000);
}

TEST(KeeperStandby, AFirstRaiseUnderWayAtThePromotionIsRepeated) {
  Standby world;
  world.Turn();
  world.lease.silent = true;
  world.Turn();
  ASSERT_EQ(world.phase(), Phase::kSecuring);
  world.wishes.in_recovery = false;
  world.Turn();
  EXPECT_FALSE(world.Published()) << "no ceiling was granted";
  world.lease.silent = false;
  world.Start();
  EXPECT_EQ(world.Published().worker(), 0u);
}

TEST(KeeperStandby, AClaimAfterThePromotionNeedsNoSettling) {
  Standby world;
  world.lease.fails = true;
  world.Run(kMsPerSecond);
  world.wishes.in_recovery = false;
  world.lease.fails = false;
  world.Run(kMsPerSecond);
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.Asked(Kind::kSettle), 0);
}

// ---- the local file

TEST(KeeperStandby, IdsAboveTheClockThatMayHaveBeenIssuedHereAreNotIssuedAgain) {
  Standby world;
  world.Run(kMsPerSecond);
  world.lease.past_ms = world.wall_ms + 20 * kMsPerSecond;
  world.PromoteWithoutStore();
  EXPECT_FALSE(world.Published());
  EXPECT_FALSE(world.Withheld());
  world.lease.silent = false;
  world.Run(kMsPerSecond);
  EXPECT_TRUE(world.Published());
  EXPECT_GE(world.FirstIdMs(), world.lease.past_ms);
}

TEST(KeeperStandby, AnUncertainPastIsLoggedAndTakenForTheWorst) {
  Standby world;
  world.Run(kMsPerSecond);
  world.lease.past = Past::kCopied;
  world.PromoteWithoutStore();
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.Last(Event::Kind::kPastUncertain).past, Past::kCopied);
  EXPECT_EQ(world.keeper->view().floor_ms, world.wall_ms + kMsPerMinute + kLeadMs);
}

TEST(KeeperStandby, IdsBelowTheClockDelayNothing) {
  Standby world;
  world.Run(kMsPerMinute);
  world.lease.past_ms = world.wall_ms;  // above the floor of the lease
  world.PromoteWithoutStore();
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.keeper->view().floor_ms, world.lease.past_ms);
  EXPECT_GE(world.FirstIdMs(), world.lease.past_ms);
}

TEST(KeeperStandby, NothingIsPublishedBeforeTheFileHasTheCeiling) {
  Standby world;
  world.Run(kMsPerSecond);
  world.lease.settle_error = EIO;
  world.PromoteWithoutStore();
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.Count(Event::Kind::kSourceFailed), 1);
  EXPECT_EQ(world.keeper->view().source_error, EIO);
  world.Pass(Keeper<HookMemory>::kRetryEveryUs / core::kUsPerMs);
  world.lease.settle_error = 0;
  world.Turn();
  EXPECT_TRUE(world.Published());
}

// ---- the end

TEST(KeeperStandby, ACleanStopReleasesTheWorkerId) {
  Standby world;
  world.Run(kMsPerSecond);
  world.Stop();
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_EQ(world.lease.Holds(), 0);
  EXPECT_FALSE(world.Withheld());
  EXPECT_TRUE(world.Last(Event::Kind::kReleased).withheld);
}

TEST(KeeperStandby, ReleasesTheWorkerIdIfItIsNotToHoldOneAnyMore) {
  Standby world;
  world.Run(kMsPerSecond);
  world.wishes.source = 1;
  world.wishes.has_worker = false;
  world.Run(kMsPerSecond);
  EXPECT_EQ(world.lease.Holds(), 0);
  EXPECT_FALSE(world.Withheld());
  const size_t asked = world.lease.requests.size();
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.lease.requests.size(), asked);
  world.wishes.in_recovery = false;
  world.wishes.source = LeaseWorld::kLease;
  world.wishes.has_worker = true;
  world.Run(kMsPerSecond);
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.Asked(Kind::kSettle), 0);
}

}  // namespace
}  // namespace idgen::lease
