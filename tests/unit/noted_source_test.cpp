// A lease's ceilings in the local file: what of other sources bounds a lease from below, and what is noted when.
#include "lease/noted_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "lease/static_source.h"
#include "memory_disk.h"
#include "support.h"

namespace idgen::lease {
namespace {

using Kind = SourceRequest::Kind;

constexpr io::ClusterId kCluster{.system_identifier = 7000000000000000001, .timeline = 1};
constexpr io::ClusterId kPromotedCluster{.system_identifier = 7000000000000000001, .timeline = 2};
constexpr core::Instant kNow{.boot_us = 5000000, .wall_us = kNowMs * core::kUsPerMs};
constexpr uint64_t kStore = 77;
constexpr uint64_t kOtherStore = 78;
constexpr int64_t kMarginMs = 10000;
constexpr int64_t kUncertainLeadMs = 81000;

constexpr char kToken[] = "11111111-2222-3333-4444-555555555555";

// Grants whatever it is asked for, unless it is silent; its floor is the clock. With a fence, it is a store that
// fences.
class FakeLease final : public IdentitySource {
 public:
  void Submit(const SourceRequest& request, const core::Instant&) noexcept override { requests.push_back(request); }
  bool Poll(const core::Instant&, SourceAnswer* answer) noexcept override {
    if (silent || answered == requests.size()) return false;
    answered = requests.size();
    *answer = {.request = requests.back(),
               .outcome = outcome,
               .past = Past::kKnown,
               .floor_ms = kNowMs,
               .granted_ms = requests.back().ceiling_ms};
    if (fence != 0 && outcome == SourceOutcome::kOk) {
      answer->lease = {.fence = fence,
                       .worker = 7,
                       .ceiling_ms = std::max(answer->granted_ms, kNowMs),
                       .cluster = 0xc1,
                       .revision = fence + 5};
      memcpy(answer->lease.token, kToken, sizeof kToken);
    }
    return true;
  }

  std::vector<SourceRequest> requests;
  size_t answered = 0;
  bool silent = false;
  int64_t fence = 0;
  SourceOutcome outcome = SourceOutcome::kOk;
};

struct Source {
  explicit Source(MemoryDisk& disk, const io::ClusterId& cluster = kCluster, uint64_t source = kStore)
      : file(disk, "data", 0600), noted(lease, file, cluster) {
    Use(source);
  }
  ~Source() { file.Close(); }

  void Use(uint64_t source) {
    noted.SetRules({.source = source, .margin_ms = kMarginMs, .uncertain_lead_ms = kUncertainLeadMs});
  }
  SourceAnswer Ask(Kind kind, int64_t ceiling_ms = 0) {
    noted.Submit({.kind = kind, .ceiling_ms = ceiling_ms}, kNow);
    SourceAnswer answer;
    EXPECT_TRUE(noted.Poll(kNow, &answer));
    EXPECT_EQ(answer.request.kind, kind);
    return answer;
  }
  SourceAnswer Claim() { return Ask(Kind::kClaim); }
  SourceAnswer Raise(int64_t ceiling_ms) { return Ask(Kind::kRaise, ceiling_ms); }

  io::CeilingFile file;
  FakeLease lease;
  NotedSource noted;
};

// As a static source would begin.
SourceAnswer ClaimStatic(MemoryDisk& disk, const io::ClusterId& cluster = kCluster) {
  io::CeilingFile file(disk, "data", 0600);
  StaticSource source(file, cluster);
  source.Submit({.kind = Kind::kClaim}, kNow);
  SourceAnswer answer;
  EXPECT_TRUE(source.Poll(kNow, &answer));
  return answer;
}

void RaiseStatic(MemoryDisk& disk, int64_t ceiling_ms) {
  io::CeilingFile file(disk, "data", 0600);
  ASSERT_EQ(file.Write(kCluster, ceiling_ms), 0);
  file.Close();
}

TEST(NotedSource, WithoutAFileTheLeasesFloorIsEnough) {
  MemoryDisk disk;
  const SourceAnswer answer = Source(disk).Claim();
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.floor_ms, kNowMs);
}

TEST(NotedSource, ALeaseStartsAboveWhatWasIssuedUnderAStaticWorkerId) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 60000);
  const SourceAnswer answer = Source(disk).Claim();
  EXPECT_EQ(answer.floor_ms, kNowMs + 60000);
  EXPECT_EQ(answer.past, Past::kKnown);
}

TEST(NotedSource, AStaticWorkerIdStartsAboveWhatWasLeased) {
  MemoryDisk disk;
  {
    Source source(disk);
    source.Claim();
    EXPECT_EQ(source.Raise(kNowMs + 21000).granted_ms, kNowMs + 21000);
  }
  disk.Crash(MemoryDisk::Unsynced::kLost, /*names_kept=*/false);
  EXPECT_GE(ClaimStatic(disk).floor_ms, kNowMs + 21000);
  EXPECT_EQ(ClaimStatic(disk).past, Past::kKnown);
}

TEST(NotedSource, AnotherStoresLeaseStartsAboveTheFirstOnes) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 60000);
  {
    Source source(disk);
    source.Claim();
    source.Raise(kNowMs + 81000);
  }
  EXPECT_GE(Source(disk, kCluster, kOtherStore).Claim().floor_ms, kNowMs + 81000);
}

// The store sees to that, and a crash loop must not lead further and further.
TEST(NotedSource, TheSameLeaseIsBoundOnlyByOtherSources) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 5000);
  for (int life = 0; life < 5; ++life) {
    Source source(disk);
    EXPECT_EQ(source.Claim().floor_ms, kNowMs + 5000) << life;
    source.Raise(kNowMs + 26000);
  }
  EXPECT_EQ(ClaimStatic(disk).floor_ms, kNowMs + 26000 + kMarginMs);
}

TEST(NotedSource, WhatWasLeasedInAnEarlierLifeStaysNoted) {
  MemoryDisk disk;
  for (const int64_t ceiling_ms : {kNowMs + 90000, kNowMs + 20000}) {
    Source source(disk);
    source.Claim();
    source.Raise(ceiling_ms);
    if (ceiling_ms == kNowMs + 20000) source.Ask(Kind::kRelease, kNowMs);
  }
  EXPECT_EQ(ClaimStatic(disk).floor_ms, kNowMs + 90000 + kMarginMs);
}

TEST(NotedSource, AfterAReleaseAStaticWorkerIdStartsAtOnce) {
  MemoryDisk disk;
  Source source(disk);
  source.Claim();
  source.Raise(kNowMs + 21000);
  source.Ask(Kind::kRelease, kNowMs + 300);
  EXPECT_EQ(ClaimStatic(disk).floor_ms, kNowMs + 300);
}

TEST(NotedSource, AReleaseOfNothingWritesNothing) {
  MemoryDisk disk;
  Source source(disk);
  source.Claim();
  source.Ask(Kind::kRelease, kNowMs);
  EXPECT_TRUE(disk.Names().empty());
}

TEST(NotedSource, AnotherSourceReadsTheFileAgain) {
  MemoryDisk disk;
  Source source(disk);
  source.Claim();
  source.Raise(kNowMs + 21000);
  source.Ask(Kind::kRelease, kNowMs + 2000);
  source.Use(kOtherStore);
  EXPECT_EQ(source.Claim().floor_ms, kNowMs + 2000);
  source.Use(0);
  RaiseStatic(disk, kNowMs + 4000);
  source.Use(kOtherStore);
  EXPECT_EQ(source.Claim().floor_ms, kNowMs + 4000);
}

// ---- a file that is not this server's

TEST(NotedSource, APromotedStandbyOfTheSameLeaseWaitsForNothing) {
  MemoryDisk disk;
  {
    Source source(disk);
    source.Claim();
    source.Raise(kNowMs + 21000);
  }
  SourceAnswer answer = Source(disk, kPromotedCluster).Claim();
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.floor_ms, kNowMs);
  disk.ReplaceByCopy("data/idgen.ceiling");
  answer = Source(disk).Claim();
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.floor_ms, kNowMs);
}

// The original may have gone on under its static worker id, which may be leased now.
TEST(NotedSource, AForeignStaticPastIsAssumedToBeTheWorst) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs - 100000);
  Source source(disk, kPromotedCluster);
  SourceAnswer answer = source.Claim();
  EXPECT_EQ(answer.past, Past::kPromoted);
  EXPECT_EQ(answer.floor_ms, kNowMs + kUncertainLeadMs);
  answer = source.Claim();
  EXPECT_EQ(answer.past, Past::kKnown) << "it is told once";
  EXPECT_EQ(answer.floor_ms, kNowMs + kUncertainLeadMs);
  source.Raise(kNowMs + kUncertainLeadMs + 21000);
  EXPECT_EQ(Source(disk, kPromotedCluster).Claim().floor_ms, kNowMs + kUncertainLeadMs) << "and it is remembered";
}

TEST(NotedSource, ADamagedFileIsAssumedToBeTheWorst) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 5000);
  disk.SetContents("data/idgen.ceiling", "");
  const SourceAnswer answer = Source(disk).Claim();
  EXPECT_EQ(answer.past, Past::kDamaged);
  EXPECT_EQ(answer.floor_ms, kNowMs + kUncertainLeadMs);
}

TEST(NotedSource, AFloorThatTheOperatorGaveUpIsForgotten) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 10 * core::kMsPerDay);
  {
    Source source(disk);
    EXPECT_EQ(source.Claim().floor_ms, kNowMs + 10 * core::kMsPerDay);
    source.Raise(kNowMs + 21000);
  }
  EXPECT_EQ(Source(disk).Claim().floor_ms, kNowMs);
}

// ---- the lease itself

// What the next process of the same server offers to swap.
FencedLease Offered(MemoryDisk& disk, const io::ClusterId& cluster = kCluster, uint64_t source = kStore) {
  Source next(disk, cluster, source);
  next.Claim();
  return next.lease.requests.back().previous;
}

void LeaseFenced(MemoryDisk& disk, int64_t fence = 41) {
  Source source(disk);
  source.lease.fence = fence;
  source.Claim();
  source.Raise(kNowMs + 21000);
}

TEST(NotedSource, ALeaseIsOfferedAfterACrash) {
  MemoryDisk disk;
  LeaseFenced(disk);
  disk.Crash(MemoryDisk::Unsynced::kLost, /*names_kept=*/false);
  const FencedLease offered = Offered(disk);
  EXPECT_EQ(offered.fence, 41);
  EXPECT_EQ(offered.worker, 7u);
  EXPECT_STREQ(offered.token, kToken);
  EXPECT_GE(offered.ceiling_ms, kNowMs + 21000);
  EXPECT_EQ(offered.cluster, 0xc1u) << "so that another cluster is noticed";
  EXPECT_EQ(offered.revision, 46) << "so that a store that went back in time is noticed";
}

TEST(NotedSource, NoLeaseOfACopyIsOffered) {
  MemoryDisk disk;
  LeaseFenced(disk);
  EXPECT_TRUE(Offered(disk).known());
  EXPECT_FALSE(Offered(disk, kPromotedCluster).known()) << "promoted";
  EXPECT_FALSE(Offered(disk, {.system_identifier = 1, .timeline = 1}).known()) << "another cluster's";
  EXPECT_FALSE(Offered(disk, {.system_identifier = kCluster.system_identifier, .timeline = 1, .backup = 5}).known())
      << "restored from a backup";
  disk.ReplaceByCopy("data/idgen.ceiling");
  EXPECT_FALSE(Offered(disk).known()) << "copied";
}

TEST(NotedSource, NoLeaseOfAnotherStoreIsOffered) {
  MemoryDisk disk;
  LeaseFenced(disk);
  EXPECT_FALSE(Offered(disk, kCluster, kOtherStore).known());
}

TEST(NotedSource, ADamagedFileOffersNothing) {
  MemoryDisk disk;
  LeaseFenced(disk);
  disk.SetContents("data/idgen.ceiling", disk.Contents("data/idgen.ceiling").substr(0, 100));
  EXPECT_FALSE(Offered(disk).known());
}

// The store may not have heard of the release.
TEST(NotedSource, AReleasedLeaseIsOfferedAgain) {
  MemoryDisk disk;
  Source source(disk);
  source.lease.fence = 41;
  source.Claim();
  source.Raise(kNowMs + 21000);
  source.Ask(Kind::kRelease, kNowMs + 300);
  EXPECT_EQ(Offered(disk).fence, 41);
}

TEST(NotedSource, ALeaseThatWasLostIsOfferedToTheStoreThatForgotIt) {
  MemoryDisk disk;
  Source source(disk);
  source.lease.fence = 41;
  source.Claim();
  source.Raise(kNowMs + 21000);
  source.lease.outcome = SourceOutcome::kLost;
  source.Raise(kNowMs + 23000);
  source.lease.outcome = SourceOutcome::kOk;
  source.Claim();
  const FencedLease offered = source.lease.requests.back().previous;
  EXPECT_EQ(offered.fence, 41);
  EXPECT_EQ(offered.ceiling_ms, kNowMs + 21000);
}

// Before an id is issued under it, though the recorded ceiling is high enough.
TEST(NotedSource, AnotherLeaseIsRecordedWithItsFirstCeiling) {
  MemoryDisk disk;
  Source source(disk);
  source.lease.fence = 41;
  source.Claim();
  source.Raise(kNowMs + 21000);
  source.lease.fence = 42;
  source.Claim();
  EXPECT_EQ(source.Raise(kNowMs + 21000).granted_ms, kNowMs + 21000);
  EXPECT_EQ(Offered(disk).fence, 42);
  EXPECT_EQ(Offered(disk).granted_ms, 0) << "the ceiling in the file may be that of the former lease";
  source.lease.fence = 43;
  source.Claim();
  disk.FailAt(1, EIO, /*and_all_after=*/true);
  EXPECT_EQ(source.Raise(kNowMs + 21000).outcome, SourceOutcome::kFailed);
  disk.FailNothing();
  EXPECT_TRUE(source.Raise(kNowMs + 21000).ok());
  EXPECT_EQ(Offered(disk).fence, 43);
}

TEST(NotedSource, AWorkerProcessThatGoesOnRecordsItsLeaseAgain) {
  MemoryDisk disk;
  LeaseFenced(disk);
  Source next(disk);
  next.lease.fence = 41;
  next.Raise(kNowMs + 50000);
  EXPECT_EQ(Offered(disk).fence, 41);
  EXPECT_GE(Offered(disk).ceiling_ms, kNowMs + 50000);
}

// Files of stores that do not fence stay as they were, byte by byte.
TEST(NotedSource, WithoutAFenceTheFileIsTheOldOne) {
  MemoryDisk disk;
  {
    Source source(disk);
    source.Claim();
    source.Raise(kNowMs + 21000);
  }
  EXPECT_EQ(disk.Contents("data/idgen.ceiling").substr(0, 8), "idgencl2");
  EXPECT_EQ(disk.Contents("data/idgen.ceiling").size(),
            static_cast<size_t>(io::CeilingFile::kRecordSpacing) + wire::kCeilingRecordBytes);
  EXPECT_FALSE(Offered(disk).known());
}

TEST(NotedSource, AStaticPastBoundsAFencedLeaseAndTheOtherWayRound) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 60000);
  {
    Source source(disk);
    source.lease.fence = 41;
    EXPECT_EQ(source.Claim().floor_ms, kNowMs + 60000);
    source.Raise(kNowMs + 81000);
  }
  EXPECT_GE(ClaimStatic(disk).floor_ms, kNowMs + 81000);
  RaiseStatic(disk, kNowMs + 99000);
  EXPECT_FALSE(Offered(disk).known());
}

// ---- a standby that leases in advance

struct StandbySource : Source {
  explicit StandbySource(MemoryDisk& disk)
      : Source(disk, io::ClusterId{.system_identifier = kCluster.system_identifier}) {}

  SourceAnswer AskInRecovery(Kind kind, int64_t ceiling_ms = 0) {
    noted.Submit({.kind = kind, .ceiling_ms = ceiling_ms, .in_recovery = true}, kNow);
    SourceAnswer answer;
    EXPECT_TRUE(noted.Poll(kNow, &answer));
    return answer;
  }
  // The promotion, with a store that does not reply.
  SourceAnswer Settle(int64_t ceiling_ms) {
    lease.silent = true;
    noted.SetCluster(kPromotedCluster);
    return Ask(Kind::kSettle, ceiling_ms);
  }
};

TEST(NotedSource, DuringRecoveryTheFileIsLeftAlone) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs + 60000);
  const std::string contents = disk.Contents("data/idgen.ceiling");
  StandbySource source(disk);
  EXPECT_EQ(source.AskInRecovery(Kind::kClaim).floor_ms, kNowMs);
  EXPECT_EQ(source.AskInRecovery(Kind::kRaise, kNowMs + 21000).granted_ms, kNowMs + 21000);
  EXPECT_TRUE(source.Ask(Kind::kRelease, kNowMs).ok());
  EXPECT_EQ(disk.Contents("data/idgen.ceiling"), contents);
}

// A primary that crashed and comes back as a standby.
TEST(NotedSource, DuringRecoveryTheLeaseInTheFileIsOffered) {
  MemoryDisk disk;
  LeaseFenced(disk, 40);
  const std::string contents = disk.Contents("data/idgen.ceiling");
  StandbySource source(disk);
  source.lease.fence = 41;
  const SourceAnswer answer = source.AskInRecovery(Kind::kClaim);
  EXPECT_EQ(answer.request.previous.fence, 40);
  EXPECT_STREQ(answer.request.previous.token, kToken);
  EXPECT_EQ(answer.floor_ms, kNowMs) << "nothing else in it counts yet";
  EXPECT_EQ(source.AskInRecovery(Kind::kClaim).request.previous.fence, 41) << "the last lease, whatever the file says";
  EXPECT_EQ(disk.Contents("data/idgen.ceiling"), contents);
}

TEST(NotedSource, DuringRecoveryNoLeaseOfACopyOrOfAnotherStoreIsOffered) {
  MemoryDisk disk;
  LeaseFenced(disk);
  StandbySource other(disk);
  other.Use(kOtherStore);
  EXPECT_FALSE(other.AskInRecovery(Kind::kClaim).request.previous.known());
  disk.ReplaceByCopy("data/idgen.ceiling");
  StandbySource copy(disk);
  EXPECT_FALSE(copy.AskInRecovery(Kind::kClaim).request.previous.known());
}

TEST(NotedSource, AnotherStoreIsNotOfferedTheLeaseOfTheFormerOne) {
  MemoryDisk disk;
  StandbySource source(disk);
  source.lease.fence = 41;
  source.AskInRecovery(Kind::kClaim);
  source.Use(kOtherStore);
  EXPECT_FALSE(source.AskInRecovery(Kind::kClaim).request.previous.known());
}

TEST(NotedSource, AtThePromotionTheCeilingIsRecordedWithoutTheStore) {
  MemoryDisk disk;
  StandbySource source(disk);
  source.AskInRecovery(Kind::kClaim);
  source.AskInRecovery(Kind::kRaise, kNowMs + 21000);
  const SourceAnswer answer = source.Settle(kNowMs + 21000);
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.granted_ms, kNowMs + 21000);
  disk.Crash(MemoryDisk::Unsynced::kLost, /*names_kept=*/false);
  EXPECT_GE(ClaimStatic(disk, kPromotedCluster).floor_ms, kNowMs + 21000);
  EXPECT_EQ(ClaimStatic(disk, kPromotedCluster).past, Past::kKnown);
}

TEST(NotedSource, APromotedStandbyOnACopyOfTheSameLeasesFileWaitsForNothing) {
  MemoryDisk disk;
  {
    Source source(disk);
    source.Claim();
    source.Raise(kNowMs + 50000);
  }
  disk.ReplaceByCopy("data/idgen.ceiling");
  StandbySource source(disk);
  EXPECT_EQ(source.noted.PastIfPromoted(kNow).past, Past::kKnown);
  const SourceAnswer answer = source.Settle(kNowMs + 21000);
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.floor_ms, 0);
  EXPECT_EQ(answer.granted_ms, kNowMs + 21000);
}

TEST(NotedSource, APromotedStandbyOnAStaticServersFileTakesTheWorst) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs - 100000);
  StandbySource source(disk);
  EXPECT_EQ(source.noted.PastIfPromoted(kNow).past, Past::kPromoted);
  EXPECT_EQ(source.noted.PastIfPromoted(kNow).past_ms, kNowMs + kUncertainLeadMs);
  const SourceAnswer answer = source.Settle(kNowMs + 21000);
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer.past, Past::kPromoted);
  EXPECT_EQ(answer.floor_ms, kNowMs + kUncertainLeadMs);
  EXPECT_EQ(answer.granted_ms, 0) << "ids below the floor may have been issued";
  source.lease.silent = false;
  EXPECT_EQ(source.Raise(kNowMs + kUncertainLeadMs + 21000).granted_ms, kNowMs + kUncertainLeadMs + 21000);
  EXPECT_EQ(Source(disk, kPromotedCluster).Claim().floor_ms, kNowMs + kUncertainLeadMs) << "and it is remembered";
}

TEST(NotedSource, AFileThatCannotBeReadOrWrittenAtThePromotionIsAFailure) {
  for (const int operation : {1, 5}) {
    MemoryDisk disk;
    RaiseStatic(disk, kNowMs - 100000);
    disk.Unlink("data/idgen.ceiling");
    StandbySource source(disk);
    source.AskInRecovery(Kind::kClaim);
    source.AskInRecovery(Kind::kRaise, kNowMs + 21000);
    disk.FailAt(operation, EIO);
    const SourceAnswer answer = source.Settle(kNowMs + 21000);
    EXPECT_EQ(answer.outcome, SourceOutcome::kFailed);
    EXPECT_EQ(answer.error, EIO);
    EXPECT_EQ(source.Settle(kNowMs + 21000).granted_ms, kNowMs + 21000) << "the next attempt";
  }
}

// So that a crash after the promotion does not cost the wait until the lease expires.
TEST(NotedSource, AtThePromotionTheLeaseItselfIsRecorded) {
  MemoryDisk disk;
  LeaseFenced(disk, 40);
  StandbySource source(disk);
  source.lease.fence = 41;
  source.AskInRecovery(Kind::kClaim);
  source.AskInRecovery(Kind::kRaise, kNowMs + 21000);
  EXPECT_TRUE(source.Settle(kNowMs + 21000).ok());
  const FencedLease offered = Offered(disk, kPromotedCluster);
  EXPECT_EQ(offered.fence, 41);
  EXPECT_GE(offered.ceiling_ms, kNowMs + 21000);
}

// ---- the disk

TEST(NotedSource, NothingIsGrantedBeyondWhatTheFileSays) {
  MemoryDisk disk;
  Source source(disk);
  source.Claim();
  source.Raise(kNowMs + 21000);
  disk.FailAt(1, EIO, /*and_all_after=*/true);
  EXPECT_EQ(source.Raise(kNowMs + 21000 + kMarginMs).granted_ms, kNowMs + 21000 + kMarginMs) << "that was noted";
  const SourceAnswer answer = source.Raise(kNowMs + 21001 + kMarginMs);
  EXPECT_EQ(answer.outcome, SourceOutcome::kFailed);
  EXPECT_EQ(answer.error, EIO);
  EXPECT_EQ(source.lease.requests.size(), 4u) << "the lease is renewed all the same";
  disk.FailNothing();
  EXPECT_TRUE(source.Raise(kNowMs + 40000).ok());
}

TEST(NotedSource, AFileThatCannotBeReadIsAFailureAndNobodyIsAsked) {
  MemoryDisk disk;
  RaiseStatic(disk, kNowMs);
  Source source(disk);
  disk.FailAt(1, EACCES);
  const SourceAnswer answer = source.Claim();
  EXPECT_EQ(answer.outcome, SourceOutcome::kFailed);
  EXPECT_EQ(answer.error, EACCES);
  EXPECT_TRUE(source.lease.requests.empty());
  EXPECT_TRUE(source.Claim().ok());
}

// A worker process that goes on with a lease has read nothing.
TEST(NotedSource, ARaiseWithoutAClaimReadsTheFileFirst) {
  MemoryDisk disk;
  {
    Source source(disk);
    RaiseStatic(disk, kNowMs + 70000);
    source.Claim();
    source.Raise(kNowMs + 91000);
  }
  Source next(disk);
  EXPECT_EQ(next.Raise(kNowMs + 92000).granted_ms, kNowMs + 92000);
  EXPECT_EQ(Source(disk).Claim().floor_ms, kNowMs + 70000);
  disk.FailAt(1, EIO);
  const SourceAnswer answer = Source(disk).Raise(kNowMs + 93000);
  EXPECT_EQ(answer.outcome, SourceOutcome::kFailed);
  EXPECT_EQ(answer.granted_ms, 0);
}

TEST(NotedSource, AFileThatWasRemovedIsWrittenAgain) {
  MemoryDisk disk;
  Source source(disk);
  source.Claim();
  source.Raise(kNowMs + 21000);
  EXPECT_EQ(disk.Unlink("data/idgen.ceiling"), 0);
  EXPECT_TRUE(source.file.CloseIfGone());
  EXPECT_EQ(source.Raise(kNowMs + 21000).granted_ms, kNowMs + 21000);
  EXPECT_EQ(ClaimStatic(disk).past, Past::kKnown);
}

TEST(NotedSource, NotEveryRenewalWritesTheFile) {
  MemoryDisk disk;
  Source source(disk);
  source.Claim();
  source.Raise(kNowMs + 21000);
  const int operations = disk.operations();
  for (int64_t more_ms = 2000; more_ms <= kMarginMs; more_ms += 2000) source.Raise(kNowMs + 21000 + more_ms);
  EXPECT_EQ(disk.operations(), operations);
  source.Raise(kNowMs + 21001 + kMarginMs);
  EXPECT_GT(disk.operations(), operations);
}

}  // namespace
}  // namespace idgen::lease
