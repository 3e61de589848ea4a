// The keeper with a worker id that is leased: given, renewed, lost, handed on.
#include "lease/keeper.h"

#include <gtest/gtest.h>

#include <vector>

#include "keeper_lease_world.h"

namespace idgen::lease {
namespace {

using core::kMsPerDay;
using core::kMsPerMinute;
using core::kMsPerSecond;
using core::kUsPerMs;
using core::ReservationOutcome;
using core::Step;
using Kind = SourceRequest::Kind;

TEST(KeeperLease, PublishesTheWorkerThatTheStoreGave) {
  Alone world;
  world.book.records[0].holder = &world.book;
  world.Start();
  EXPECT_EQ(world.Published().worker(), 1u);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
  EXPECT_EQ(world.Last(Event::Kind::kPublished).worker, 1u);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(KeeperLease, PublishesNothingBeforeTheRaiseIsGranted) {
  Alone world;
  world.Turn();
  ASSERT_EQ(world.Asked(Kind::kClaim), 1);
  EXPECT_FALSE(world.Published());
  world.lease.silent = true;
  world.Run(kMsPerMinute);
  ASSERT_EQ(world.Asked(Kind::kRaise), 1);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.phase(), Phase::kSecuring);
  world.lease.silent = false;
  world.Turn();
  EXPECT_TRUE(world.Published());
}

TEST(KeeperLease, PublishesNothingWhileTheFirstRaiseFails) {
  Alone world;
  world.Turn();
  world.lease.fails = true;
  world.Run(kMsPerMinute);
  EXPECT_FALSE(world.Published());
  EXPECT_GT(world.Asked(Kind::kRaise), 20);
  world.lease.fails = false;
  world.Run(kMsPerSecond);
  EXPECT_TRUE(world.Published());
}

TEST(KeeperLease, OnlyWhatWasGrantedIsPublished) {
  Alone world;
  world.lease.most_ms = kNowMs + 4000;
  world.Run(kMsPerSecond);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + 4000);
  EXPECT_EQ(world.keeper->view().ceiling_ms, kNowMs + 4000);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + 4000);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
}

TEST(KeeperLease, ALesserGrantLowersNothing) {
  Alone world;
  world.Start();
  world.lease.most_ms = kNowMs;
  world.Run(2 * kRenewMs);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kLeadMs);
}

TEST(KeeperLease, WithoutAStoreToAskItAsksNothing) {
  Alone world;
  world.wishes.has_worker = false;
  world.Run(kMsPerMinute);
  EXPECT_TRUE(world.lease.requests.empty());
  EXPECT_FALSE(world.Published());
}

// ---- renewing

TEST(KeeperLease, RenewsEveryInterval) {
  Alone world;
  world.Start();
  const int before = world.Asked(Kind::kRaise);
  world.Run(10 * kRenewMs);
  EXPECT_EQ(world.Asked(Kind::kRaise), before + 10);
  EXPECT_EQ(world.Published().ceiling_ms(), world.IdClockMs() + kLeadMs);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
}

TEST(KeeperLease, KeepsIdsFlowingForADay) {
  Alone world;
  world.Start();
  for (int minutes = 0; minutes < 24 * 60; ++minutes) {
    world.Run(kMsPerMinute);
    ASSERT_EQ(world.FirstIdMs(), world.wall_ms);
  }
  EXPECT_EQ(world.events.size(), 1u);
}

TEST(KeeperLease, AFailureDoesNotWithdraw) {
  Alone world;
  world.Start();
  world.lease.fails = true;
  world.Run(kLeadMs - kMaxAheadMs);
  EXPECT_TRUE(world.Published());
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  EXPECT_EQ(world.Count(Event::Kind::kSourceFailed), 1);
}

// Not only at the next interval: the time until the ceiling is what there is.
TEST(KeeperLease, AFailedRenewalIsRetriedAsSoonAsTheSourceSays) {
  Alone world;
  world.Start();
  world.lease.fails = true;
  world.lease.retry_after_us = 20 * kUsPerMs;
  world.Pass(kRenewMs);
  world.Turn();
  const int failed = world.Asked(Kind::kRaise);
  world.lease.fails = false;
  world.Run(100);
  EXPECT_EQ(world.Asked(Kind::kRaise), failed + 1);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kRenewMs + 20 + kLeadMs);
}

TEST(KeeperLease, IdsStopAtTheCeilingWhileTheStoreIsAwayAndGoOnAfter) {
  for (const bool silent : {true, false}) {
    Alone world;
    world.Start();
    (silent ? world.lease.silent : world.lease.fails) = true;
    world.Run(kLeadMs - 1);
    EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
    world.Run(1);
    EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
    world.Run(kHourMs);
    EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
    world.lease.silent = world.lease.fails = false;
    world.Run(kRenewMs);
    EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
    EXPECT_EQ(world.Published().worker(), 0u);
    EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  }
}

TEST(KeeperLease, WaitsAsLongAsTheSourceSays) {
  for (const bool holding : {true, false}) {
    Alone world;
    if (holding) world.Start();
    world.Pass(kRenewMs);
    world.lease.fails = true;
    world.lease.retry_after_us = 5000 * kUsPerMs;
    world.Turn();
    const size_t asked = world.lease.requests.size();
    world.Run(4999);
    EXPECT_EQ(world.lease.requests.size(), asked);
    world.Run(1);
    EXPECT_EQ(world.lease.requests.size(), asked + 1);
  }
}

TEST(KeeperLease, AStopDoesNotWaitForTheNextRetry) {
  Alone world;
  world.Start();
  world.lease.fails = true;
  world.lease.retry_after_us = kHourMs * kUsPerMs;
  world.Run(kRenewMs);
  world.Stop();
  EXPECT_EQ(world.Asked(Kind::kRelease), 1);
  EXPECT_TRUE(world.keeper->stopped());
}

TEST(KeeperLease, NoAvailableWorkerIsNotAFailure) {
  Alone world;
  world.book.workers = 0;
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.phase(), Phase::kClaiming);
  EXPECT_EQ(world.Count(Event::Kind::kSourceFailed), 0);
  world.book.workers = 1;
  world.Run(kMsPerSecond);
  EXPECT_TRUE(world.Published());
}

// ---- a lease that is lost

TEST(KeeperLease, ALostLeaseIsWithdrawnAndSealedBeforeAnythingIsAsked) {
  Alone world;
  world.Start();
  const core::Position last = world.Reserve().start;
  world.lease.Deprive();
  world.Pass(kRenewMs);
  const SourceRequest raise = world.keeper->Advance(world.Now(), world.wishes);
  ASSERT_EQ(raise.kind, Kind::kRaise);
  std::vector<Step> steps;
  {
    const Hook hook([&](Step step) {
      if (step == Step::kWithdraw || step == Step::kSeal) steps.push_back(step);
    });
    world.keeper->Receive({.request = raise, .outcome = SourceOutcome::kLost}, world.Now());
  }
  EXPECT_EQ(steps, (std::vector{Step::kWithdraw, Step::kSeal, Step::kSeal}));
  EXPECT_FALSE(world.Published());
  EXPECT_GE(world.line.next, core::NextTick(world.line.layout, last + 1));
  EXPECT_EQ(world.phase(), Phase::kClaiming);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kNoIdentity);
}

TEST(KeeperLease, ALostLeaseIsClaimedAgain) {
  Alone world;
  world.Start();
  world.lease.Deprive();
  world.Run(kRenewMs);
  EXPECT_EQ(world.Count(Event::Kind::kLost), 1);
  EXPECT_EQ(world.Last(Event::Kind::kLost).worker, 0u);
  world.Run(10);
  EXPECT_EQ(world.Published().worker(), 1u);
  EXPECT_EQ(world.Count(Event::Kind::kPublished), 2);
  EXPECT_EQ(world.Reserve().worker, 1u);
}

TEST(KeeperLease, ALeaseThatIsLostBeforeItsFirstRaiseIsClaimedAgain) {
  Alone world;
  world.wishes.asked_for = false;
  world.Turn();
  world.lease.Deprive();
  world.Run(kMsPerSecond);
  EXPECT_EQ(world.Published().worker(), 1u);
}

TEST(KeeperLease, ALeaseThatIsLostAgainAndAgainNeverPublishesTheOldWorker) {
  Alone world;
  world.book.workers = 3;
  world.Start();
  for (int i = 0; i < 2; ++i) {
    world.lease.Deprive();
    world.Run(kRenewMs + 10);
  }
  EXPECT_EQ(world.Published().worker(), 2u);
  world.lease.Deprive();
  world.Run(kMsPerMinute);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kNoIdentity);
}

TEST(KeeperLease, IdsDoNotGoBackAfterALoss) {
  Alone world;
  world.Start();
  world.UseUp();
  const core::Position last = world.line.next;
  world.lease.Deprive();
  world.Run(kRenewMs + 10);
  EXPECT_GE(world.Reserve().start, last);
}

// ---- clocks

TEST(KeeperLease, IsShortOfCeilingIfItsClockLeadsTheStores) {
  Alone world;
  world.wall_ms += kQuarantineMs + kMsPerMinute;
  world.Start();
  EXPECT_TRUE(world.keeper->view().short_of_ceiling);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kAtCeiling);
  EXPECT_EQ(world.Published().ceiling_ms(), world.book.now_ms + kQuarantineMs);
}

TEST(KeeperLease, ALittleLeadIsNotShortOfCeiling) {
  Alone world;
  world.wall_ms += kQuarantineMs - 5000;
  world.Start();
  EXPECT_FALSE(world.keeper->view().short_of_ceiling);
  EXPECT_EQ(world.Published().ceiling_ms(), kNowMs + kQuarantineMs);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(KeeperLease, AServerThatLagsTheStoreByAnHourStartsAtOnce) {
  for (const int64_t lag_ms : {kHourMs, 23 * kHourMs}) {
    Alone world;
    world.wall_ms -= lag_ms;
    world.Start();
    EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
    EXPECT_EQ(world.AheadMs(), lag_ms);
    EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 0);
    world.Run(kHourMs);
    EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
  }
}

// A store whose clock is years ahead, or that lies.
TEST(KeeperLease, AFloorMoreThanADayAheadIsRefused) {
  Alone world;
  world.book.now_ms += 10 * 365 * kMsPerDay;
  world.Run(kHourMs);
  EXPECT_EQ(world.phase(), Phase::kRefused);
  EXPECT_EQ(world.keeper->view().verdict, Verdict::kFloorFarAhead);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.AheadMs(), 0) << "the id clock has not moved";
  EXPECT_EQ(world.Asked(Kind::kRaise), 0);
  EXPECT_EQ(world.Count(Event::Kind::kHeldBack), 1) << "it is said once";
  EXPECT_LE(world.lease.Holds(), 1);
}

TEST(KeeperLease, ARefusedLeaseIsGivenBackAndAnotherIsClaimed) {
  Alone world;
  world.book.records[0].ceiling_ms = kNowMs + 2 * kMsPerDay;
  world.Start();
  EXPECT_EQ(world.phase(), Phase::kRefused);
  EXPECT_EQ(world.lease.Holds(), 1);
  world.book.records[0].holder = &world.book;  // by now the store gives another
  world.Run(5 * kRenewMs - 10);
  EXPECT_EQ(world.phase(), Phase::kRefused);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  world.Run(kRenewMs);
  EXPECT_EQ(world.Asked(Kind::kRelease), 1);
  EXPECT_EQ(world.Published().worker(), 1u);
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
}

TEST(KeeperLease, ARefusedLeaseIsTakenWhenTheOperatorGivesUpItsFloor) {
  for (const int64_t after_ms : {int64_t{100}, int64_t{kHourMs}}) {
    Alone world;
    world.book.records[0].ceiling_ms = kNowMs + 2 * kMsPerDay;
    world.book.workers = 1;
    world.Run(after_ms);
    ASSERT_EQ(world.phase(), Phase::kRefused);
    world.wishes.forget_floor = true;
    for (int i = 0; i < 5; ++i) world.Turn();
    EXPECT_EQ(world.Count(Event::Kind::kFloorForgotten), 1);
    EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
    EXPECT_EQ(world.keeper->view().forgotten_floor_ms, kNowMs + 2 * kMsPerDay);
  }
}

TEST(KeeperLease, AStopWhileALeaseIsRefusedReleasesIt) {
  for (int turns = 1; turns < 60; ++turns) {
    Alone world;
    world.book.records[0].ceiling_ms = kNowMs + 2 * kMsPerDay;
    world.book.workers = 1;
    for (int i = 0; i < turns; ++i) {
      world.Turn();
      world.Pass(500);
    }
    world.Stop();
    EXPECT_TRUE(world.keeper->stopped()) << turns;
    EXPECT_EQ(world.lease.Holds(), 0) << turns;
  }
}

TEST(KeeperLease, AWallClockFarAheadOfTheStoreMustPersist) {
  Alone world;
  world.wall_ms += 31 * kMsPerDay;
  world.Run(29900);
  EXPECT_EQ(world.keeper->view().verdict, Verdict::kClockFarAhead);
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.Asked(Kind::kRaise), 0);
  world.Run(200);
  EXPECT_EQ(world.phase(), Phase::kHolding);
  EXPECT_TRUE(world.keeper->view().short_of_ceiling);
}

TEST(KeeperLease, AChangeOfTheSourceDoesNotRestartTheWaitForAClock) {
  Alone world;
  world.wall_ms += 31 * kMsPerDay;
  world.Run(29900);
  world.wishes.source = 78;
  world.Run(200);
  EXPECT_EQ(world.phase(), Phase::kHolding);
}

// The store's clock shows the time, whenever the worker id was last used.
TEST(KeeperLease, AnOldFloorIsNoReasonToDoubtTheClock) {
  Alone world;
  const SourceRequest claim = world.keeper->Advance(world.Now(), world.wishes);
  world.keeper->Receive({.request = claim,
                         .outcome = SourceOutcome::kOk,
                         .past = Past::kKnown,
                         .floor_ms = kNowMs - 400 * kMsPerDay,
                         .source_now_ms = kNowMs},
                        world.Now());
  EXPECT_EQ(world.keeper->Advance(world.Now(), world.wishes).kind, Kind::kRaise);
}

// No id was given while the store refused its time, so that nothing is lost.
TEST(KeeperLease, AClockThatNoIdHasFollowedIsCorrectedAtOnce) {
  Alone world;
  world.wall_ms += 365 * kMsPerDay;
  world.Run(kMsPerMinute);
  ASSERT_TRUE(world.keeper->view().short_of_ceiling);
  world.wall_ms = world.book.now_ms;
  world.Run(2 * kRenewMs);
  EXPECT_EQ(world.AheadMs(), 0);
  EXPECT_FALSE(world.keeper->view().short_of_ceiling);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(KeeperLease, AClockThatIdsHaveFollowedIsNotSetBehindThem) {
  Alone world;
  world.wall_ms += 25000;
  world.Start();
  world.UseUp();
  const int64_t last_ms = core::TimeOf(world.line.layout, world.line.next);
  world.wall_ms += 20000;
  world.Run(2 * kRenewMs);
  ASSERT_TRUE(world.keeper->view().short_of_ceiling);
  world.wall_ms = world.book.now_ms;
  world.Turn();
  EXPECT_GE(world.IdClockMs(), last_ms);
  EXPECT_LE(world.IdClockMs(), last_ms + 1) << "the rest of its lead led nothing anywhere";
}

TEST(KeeperLease, AClockThatIsAheadWhileIdsFlowIsSlewed) {
  Alone world;
  world.Start();
  world.wall_ms -= kHourMs;
  world.Run(10 * kMsPerSecond);
  EXPECT_EQ(world.AheadMs(), kHourMs - 5 * kMsPerSecond);
  EXPECT_EQ(world.Reserve().outcome, ReservationOutcome::kOk);
}

// Its line goes only forward, whatever the clocks say by now.
TEST(KeeperLease, IsShortOfCeilingIfItsEarlierIdsAreAheadOfTheStore) {
  Alone world;
  world.wall_ms = world.book.now_ms += kHourMs;
  world.Start();
  world.UseUp();
  world.wishes.source = 78;
  world.Turn();
  world.book = LeaseBook();
  world.wall_ms = kNowMs;
  world.Run(kMsPerMinute);
  ASSERT_TRUE(world.Published());
  EXPECT_TRUE(world.keeper->view().short_of_ceiling);
  EXPECT_NE(world.Reserve().outcome, ReservationOutcome::kOk);
}

// ---- another source

TEST(KeeperLease, AnotherSourceIsClaimedFromAfterTheOldWasReleasedTo) {
  Alone world;
  world.Start();
  const core::Position last = world.Reserve().start;
  world.wishes.source = 78;
  std::vector<Step> steps;
  {
    const Hook hook([&](Step step) {
      if (step == Step::kWithdraw || step == Step::kSeal) steps.push_back(step);
    });
    world.lease.silent = true;
    world.Turn();
  }
  EXPECT_EQ(steps, (std::vector{Step::kWithdraw, Step::kSeal, Step::kSeal}));
  EXPECT_FALSE(world.Published());
  EXPECT_EQ(world.phase(), Phase::kReplacing);
  EXPECT_EQ(world.keeper->view().source, LeaseWorld::kLease) << "the release is for the old one";
  EXPECT_EQ(world.lease.requests.back().kind, Kind::kRelease);
  EXPECT_EQ(world.Last(Event::Kind::kReplaced).worker, 0u);
  world.lease.silent = false;
  world.Turn();
  EXPECT_EQ(world.lease.Holds(), 0);
  EXPECT_EQ(world.keeper->view().source, 78u);
  world.Start();
  EXPECT_TRUE(world.Published());
  EXPECT_GE(world.Reserve().start, core::NextTick(world.line.layout, last + 1));
  EXPECT_EQ(world.Asked(Kind::kRelease), 1);
}

TEST(KeeperLease, AFailedReleaseDoesNotPreventTheNewSource) {
  Alone world;
  world.Start();
  world.wishes.source = 78;
  world.lease.fails = true;
  world.Turn();
  EXPECT_FALSE(world.Published());
  world.lease.fails = false;
  LeaseBook other;
  world.lease.Use(other);
  world.keeper->Advance(world.Now(), world.wishes);
  EXPECT_EQ(world.keeper->view().source, 78u);
}

TEST(KeeperLease, NothingIsPublishedUnderTheOldSourcesCeiling) {
  Alone world;
  world.Start();
  LeaseBook other;
  other.now_ms = kNowMs - kHourMs;
  world.wishes.source = 78;
  world.Turn();
  world.lease.Use(other);
  for (int i = 0; i < 3; ++i) {
    const SourceRequest request = world.keeper->Advance(world.Now(), world.wishes);
    if (request.kind != Kind::kNone) world.lease.Submit(request, world.Now());
    for (SourceAnswer answer; world.lease.Poll(world.Now(), &answer);) world.keeper->Receive(answer, world.Now());
  }
  ASSERT_TRUE(world.Published());
  EXPECT_LE(world.Published().ceiling_ms(), other.records[0].ceiling_ms);
}

TEST(KeeperLease, FromAStaticSourceToALease) {
  Alone world;
  world.wishes.source = 0;
  world.wishes.leased = false;
  world.wishes.worker = 5;
  world.keeper.emplace(*world.state, world.Now());
  static_cast<World&>(world).Start();
  ASSERT_EQ(world.Published().worker(), 5u);
  const core::Position last = world.Reserve().start;
  world.wishes.source = LeaseWorld::kLease;
  world.wishes.leased = true;
  static_cast<World&>(world).Turn();
  EXPECT_EQ(world.source.requests.back().kind, Kind::kRelease);
  EXPECT_LT(world.source.ceiling_ms, kNowMs + kLeadMs) << "a clean end leaves nothing to wait for";
  world.Start();
  EXPECT_EQ(world.Published().worker(), 0u);
  EXPECT_GE(world.Reserve().start, core::NextTick(world.line.layout, last + 1));
}

TEST(KeeperLease, FromALeaseToAStaticSource) {
  Alone world;
  world.Start();
  world.wishes.source = 0;
  world.wishes.leased = false;
  world.wishes.worker = 5;
  world.Turn();
  EXPECT_EQ(world.lease.Holds(), 0);
  static_cast<World&>(world).Start();
  EXPECT_EQ(world.Published().worker(), 5u);
  EXPECT_EQ(world.keeper->view().source, 0u);
}

// ---- ends

TEST(KeeperLease, AStopReleasesInEveryPhaseInWhichALeaseMayBeHeld) {
  struct Case {
    Phase phase;
    void (*prepare)(LeaseWorld&);
  };
  const Case cases[] = {
      {Phase::kIdle,  // asked, not answered
       [](LeaseWorld& world) {
         world.lease.silent = true;
         world.Turn();
       }},
      {Phase::kClaiming,
       [](LeaseWorld& world) {
         world.lease.fails = true;
         world.Turn();
       }},
      {Phase::kWaiting,
       [](LeaseWorld& world) {
         world.wall_ms += 31 * kMsPerDay;
         world.Start();
       }},
      {Phase::kSecuring,
       [](LeaseWorld& world) {
         world.Turn();
         world.lease.silent = true;
         world.Turn();
       }},
      {Phase::kHolding, [](LeaseWorld& world) { world.Start(); }},
  };
  for (const Case& a_case : cases) {
    Alone world;
    a_case.prepare(world);
    ASSERT_EQ(world.phase(), a_case.phase);
    world.lease.silent = world.lease.fails = false;
    world.Stop();
    EXPECT_EQ(world.Asked(Kind::kRelease), 1);
    EXPECT_EQ(world.lease.Holds(), 0);
    EXPECT_TRUE(world.keeper->stopped());
    EXPECT_FALSE(world.Published());
  }
}

TEST(KeeperLease, AStopWhileTheSourceIsReplacedReleasesOnce) {
  Alone world;
  world.Start();
  world.lease.silent = true;
  world.wishes.source = 78;
  world.Turn();
  world.Stop();
  EXPECT_EQ(world.phase(), Phase::kReleasing);
  world.lease.silent = false;
  world.Turn();
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_EQ(world.Asked(Kind::kRelease), 1);
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
}

TEST(KeeperLease, AStopWithdrawsAndSealsBeforeItReleases) {
  Alone world;
  world.Start();
  world.lease.silent = true;
  std::vector<Step> steps;
  const Hook hook([&](Step step) {
    if (step == Step::kWithdraw || step == Step::kSeal) steps.push_back(step);
  });
  world.Stop();
  EXPECT_EQ(steps, (std::vector{Step::kWithdraw, Step::kSeal, Step::kSeal}));
  EXPECT_EQ(world.phase(), Phase::kReleasing);
}

TEST(KeeperLease, AStopThatCannotReachTheStoreStops) {
  Alone world;
  world.Start();
  world.lease.fails = true;
  world.Stop();
  EXPECT_TRUE(world.keeper->stopped());
  EXPECT_EQ(world.Count(Event::Kind::kReleased), 0);
}

TEST(KeeperLease, ANewKeeperContinuesWithItsIdentity) {
  Alone world;
  world.Start();
  const core::Reservation last = world.Reserve();
  world.RestartKeeper(/*of_identity=*/true);
  EXPECT_TRUE(world.Published());
  world.Turn();
  EXPECT_EQ(world.lease.requests.back().kind, Kind::kRaise) << "it cannot know how old the lease is";
  EXPECT_EQ(world.Asked(Kind::kClaim), 1);
  EXPECT_EQ(world.Reserve().start, last.start + last.count);
  world.Run(kMsPerMinute);
  EXPECT_EQ(world.FirstIdMs(), world.wall_ms);
}

TEST(KeeperLease, ANewKeeperWithdrawsAnIdentityThatIsNotItsOwn) {
  Alone world;
  world.Start();
  const core::Position last = world.Reserve().start;
  std::vector<Step> steps;
  {
    const Hook hook([&](Step step) {
      if (step == Step::kWithdraw || step == Step::kSeal) steps.push_back(step);
    });
    world.RestartKeeper(/*of_identity=*/false);
  }
  EXPECT_EQ(steps, (std::vector{Step::kWithdraw, Step::kSeal, Step::kSeal}));
  EXPECT_FALSE(world.Published());
  world.Start();
  EXPECT_EQ(world.Published().worker(), 1u) << "the old lease was left to run out";
  EXPECT_EQ(world.Asked(Kind::kClaim), 2);
  EXPECT_GE(world.Reserve().start, core::NextTick(world.line.layout, last + 1));
}

// ---- one worker id, two servers

// Whatever becomes of the first, the second begins where no id of the first can be.
TEST(KeeperLease, SuccessiveHoldersIssueInDisjointTimes) {
  enum class End { kReleased, kPaused, kResumed, kClockAhead, kStoreAway };
  for (const End end : {End::kReleased, End::kPaused, End::kResumed, End::kClockAhead, End::kStoreAway}) {
    LeaseBook book;
    book.workers = 1;
    LeaseWorld first(book);
    if (end == End::kClockAhead) first.wall_ms += kQuarantineMs / 2;
    first.Start();
    first.Run(kMsPerMinute);
    first.UseUp();
    ASSERT_EQ(first.Published().worker(), 0u);
    if (end == End::kReleased) first.Stop();
    if (end == End::kStoreAway) first.lease.silent = true;
    first.lease.Deprive();
    book.records[0].holder = nullptr;  // its lease has run out

    LeaseWorld second(book);
    second.World::Pass(book.now_ms - kNowMs);
    second.Start();
    ASSERT_EQ(second.Published().worker(), 0u);
    const core::Position begins = second.Reserve().start;
    for (int i = 0; i < 100; ++i) {
      first.World::Pass(200);  // goes on as if nothing had happened
      if (end != End::kPaused) first.Turn();
      first.UseUp();
      ASSERT_LE(first.line.next, begins) << static_cast<int>(end);
    }
  }
}

}  // namespace
}  // namespace idgen::lease
