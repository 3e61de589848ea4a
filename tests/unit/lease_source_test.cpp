// The lease as an identity source: its tokens, its retries, its time limits.
#include "lease/lease_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "support.h"

namespace idgen::lease {
namespace {

using core::kMsPerSecond;
using core::kUsPerMs;
using core::kUsPerSecond;
using Kind = SourceRequest::Kind;
using Why = StoreReply::Why;

constexpr int64_t kTtlMs = 30000;
constexpr int64_t kReleaseWithinUs = 500 * kUsPerMs;

// Remembers what it was asked, and what the memo held at that moment; says `reply`, unless it is silent.
class FakeStore final : public LeaseStore {
 public:
  explicit FakeStore(const LeaseMemo& memo) : memo_(memo) {}

  void Begin(const StoreRequest& request, int64_t now_us) noexcept override {
    requests.push_back(request);
    memos.push_back(memo_.token);
    began_at_us = now_us;
    under_way = true;
  }
  bool Step(int64_t, StoreReply* answer) noexcept override {
    if (!under_way || silent) return false;
    under_way = false;
    *answer = reply;
    return true;
  }
  io::Wants wants(int64_t) const noexcept override {
    return {.fd = 7, .read = true, .wake_boot_us = began_at_us + 5 * kUsPerSecond};
  }
  const char* problem() const noexcept override { return "no luck"; }
  void Close() noexcept override { under_way = false; }

  StoreReply reply;
  bool silent = false;
  bool under_way = false;
  int64_t began_at_us = 0;
  std::vector<StoreRequest> requests;
  std::vector<std::string> memos;

 private:
  const LeaseMemo& memo_;
};

int tokens_made = 0;
void MakeToken(char (&text)[kTokenBytes + 1]) noexcept { snprintf(text, sizeof text, "token-%030d", ++tokens_made); }

// A source on a fake store, and a clock.
struct SourceWorld {
  SourceWorld() { source.SetRules({.ttl_ms = kTtlMs, .release_within_us = kReleaseWithinUs}); }

  core::Instant Now() const { return {.boot_us = boot_us, .wall_us = boot_us + kNowMs * kUsPerMs}; }
  void Submit(Kind kind, int64_t ceiling_ms = 0) { source.Submit({.kind = kind, .ceiling_ms = ceiling_ms}, Now()); }
  bool Poll() { return source.Poll(Now(), &answer); }
  // A request and its answer.
  const SourceAnswer& Ask(Kind kind, const StoreReply& reply, int64_t ceiling_ms = 0) {
    store.reply = reply;
    Submit(kind, ceiling_ms);
    EXPECT_TRUE(Poll());
    return answer;
  }
  const SourceAnswer& Claim(uint32_t worker = 7) { return Ask(Kind::kClaim, Claimed(worker)); }
  static StoreReply Claimed(uint32_t worker = 7) {
    return {.outcome = StoreOutcome::kOk,
            .worker = worker,
            .floor_ms = kNowMs - 5000,
            .expiry_ms = kNowMs + kTtlMs,
            .store_now_ms = kNowMs};
  }
  static StoreReply Renewed(int64_t granted_ms) {
    return {.outcome = StoreOutcome::kOk,
            .granted_ms = granted_ms,
            .expiry_ms = kNowMs + 2 * kTtlMs,
            .store_now_ms = kNowMs + 1000};
  }
  static StoreReply Busy(Why why, int64_t for_ms) {
    return {.outcome = StoreOutcome::kBusy, .why = why, .until_ms = kNowMs + for_ms, .store_now_ms = kNowMs};
  }
  static StoreReply Lost(Why why) { return {.outcome = StoreOutcome::kLost, .why = why, .store_now_ms = kNowMs}; }
  static StoreReply Done() { return {.outcome = StoreOutcome::kOk, .store_now_ms = kNowMs}; }

  std::string Token() const { return memo.token; }
  std::string Sent() const { return store.requests.back().token; }

  int64_t boot_us = 1000 * kUsPerSecond;
  LeaseMemo memo = {};
  FakeStore store{memo};
  LeaseSource source{store, memo, MakeToken};
  SourceAnswer answer;
};

// ---- tokens

TEST(LeaseSource, TheTokenIsInTheMemoBeforeItIsSent) {
  SourceWorld world;
  world.Submit(Kind::kClaim);
  ASSERT_EQ(world.store.requests.size(), 1u);
  EXPECT_EQ(world.store.requests[0].kind, StoreRequest::Kind::kAcquire);
  EXPECT_EQ(world.Sent().size(), kTokenBytes);
  EXPECT_EQ(world.store.memos[0], world.Sent());
}

TEST(LeaseSource, AClaimThatFailedOrWasBusyIsRepeatedWithItsToken) {
  SourceWorld world;
  world.Submit(Kind::kClaim);
  const std::string token = world.Token();
  world.Ask(Kind::kClaim, {});
  world.Ask(Kind::kClaim, SourceWorld::Busy(Why::kFull, 1000));
  world.Claim();
  for (const StoreRequest& request : world.store.requests) EXPECT_EQ(request.token, token);
  EXPECT_EQ(world.store.requests.size(), 4u);
}

TEST(LeaseSource, AnotherWorkerProcessContinuesWithTheToken) {
  SourceWorld world;
  world.Claim();
  LeaseSource successor(world.store, world.memo, MakeToken);
  successor.Submit({.kind = Kind::kRaise, .ceiling_ms = kNowMs}, world.Now());
  EXPECT_EQ(world.Sent(), world.Token());
  EXPECT_EQ(world.store.requests.back().worker, 7u);
  EXPECT_EQ(world.store.requests.back().last_expiry_ms, kNowMs + kTtlMs);
}

TEST(LeaseSource, EachAcquisitionHasATokenOfItsOwn) {
  SourceWorld world;
  std::vector<std::string> tokens;
  for (int i = 0; i < 3; ++i) {
    world.Claim();
    tokens.push_back(world.Sent());
    world.Ask(Kind::kRelease, SourceWorld::Done());
  }
  world.Claim();
  world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kTaken));
  world.Claim();
  tokens.push_back(world.Sent());
  world.Claim();  // of what it has already: not the same lease again
  tokens.push_back(world.Sent());
  std::sort(tokens.begin(), tokens.end());
  EXPECT_EQ(std::unique(tokens.begin(), tokens.end()), tokens.end());
}

// ---- stores that fence

constexpr FencedLease kPrevious{.fence = 900, .worker = 3, .ceiling_ms = kNowMs + 21000, .token = "previous"};

StoreReply Fenced(StoreReply reply, int64_t fence, int64_t revision) {
  reply.fence = fence;
  reply.revision = revision;
  return reply;
}

TEST(LeaseSource, TheFenceOfTheAcquisitionGoesWithEachRenewal) {
  SourceWorld world;
  world.Ask(Kind::kClaim, Fenced(SourceWorld::Claimed(), 1000, 1000));
  EXPECT_EQ(world.answer.lease.fence, 1000);
  EXPECT_EQ(world.answer.lease.worker, 7u);
  EXPECT_EQ(world.answer.lease.token, world.Token());
  EXPECT_EQ(world.source.view().fence, 1000);
  world.Ask(Kind::kRaise, Fenced(SourceWorld::Renewed(kNowMs + 5000), 0, 1010), kNowMs + 5000);
  EXPECT_EQ(world.store.requests.back().fence, 1000);
  EXPECT_EQ(world.answer.lease.fence, 1000);
  EXPECT_EQ(world.answer.lease.ceiling_ms, kNowMs + 5000);
  LeaseSource successor(world.store, world.memo, MakeToken);
  successor.Submit({.kind = Kind::kRaise, .ceiling_ms = kNowMs}, world.Now());
  EXPECT_EQ(world.store.requests.back().fence, 1000);
  EXPECT_EQ(world.store.requests.back().revision, 1010);
}

TEST(LeaseSource, ThePreviousLeaseAndThisServersClockGoWithAClaim) {
  SourceWorld world;
  world.source.Submit({.kind = Kind::kClaim, .previous = kPrevious}, world.Now());
  const StoreRequest& request = world.store.requests.back();
  EXPECT_EQ(request.previous.fence, 900);
  EXPECT_EQ(request.previous.ceiling_ms, kNowMs + 21000);
  EXPECT_STREQ(request.previous.token, "previous");
  EXPECT_EQ(request.revision, 900) << "the store had that revision when it granted the lease";
  EXPECT_EQ(request.wall_ms, core::MsOf(world.Now().wall_us));
}

TEST(LeaseSource, TheHighestRevisionIsRemembered) {
  SourceWorld world;
  world.Ask(Kind::kClaim, Fenced(SourceWorld::Claimed(), 1000, 1000));
  for (const int64_t revision : {1010, 1005, 0}) {
    world.Ask(Kind::kRaise, Fenced(SourceWorld::Renewed(kNowMs), 0, revision));
    EXPECT_EQ(world.memo.revision, 1010);
  }
  world.Ask(Kind::kRaise, Fenced(SourceWorld::Lost(Why::kTaken), 0, 1020));
  EXPECT_EQ(world.memo.revision, 1020);
}

// The store counts from where it is: otherwise every later lease would be lost as well.
TEST(LeaseSource, ARevisionThatWentBackIsTakenOverWithTheLossOfTheLease) {
  SourceWorld world;
  world.Ask(Kind::kClaim, Fenced(SourceWorld::Claimed(), 1000, 1000));
  world.Ask(Kind::kRaise, Fenced(SourceWorld::Lost(Why::kForgotten), 0, 600));
  EXPECT_EQ(world.memo.revision, 600);
  EXPECT_EQ(world.source.view().fence, 0);
  world.source.Submit({.kind = Kind::kClaim, .previous = kPrevious}, world.Now());
  EXPECT_EQ(world.store.requests.back().revision, 900);
  world.store.reply = Fenced(SourceWorld::Claimed(), 610, 610);
  ASSERT_TRUE(world.Poll());
  EXPECT_EQ(world.memo.revision, 610);
}

// A copy of this server that runs, too, has the token and the fence, but not the ceilings granted afterwards.
TEST(LeaseSource, ARenewalTellsTheCeilingInTheStoreAndTheUnansweredOnes) {
  SourceWorld world;
  StoreReply reply = Fenced(SourceWorld::Claimed(), 1000, 1000);
  reply.stored_ms = kNowMs + 1;
  world.Ask(Kind::kClaim, reply);
  const auto raise = [&](int64_t ceiling_ms, int64_t stored_ms) {
    StoreReply renewed = Fenced(SourceWorld::Renewed(ceiling_ms), 0, 1001);
    renewed.stored_ms = stored_ms;
    world.Ask(Kind::kRaise, stored_ms == 0 ? StoreReply() : renewed, ceiling_ms);
    const StoreRequest& request = world.store.requests.back();
    return std::pair{request.stored_ms - kNowMs, request.offered_ms == 0 ? 0 : request.offered_ms - kNowMs};
  };
  EXPECT_EQ(raise(kNowMs + 10, kNowMs + 10), std::pair(int64_t{1}, int64_t{0}));
  EXPECT_EQ(raise(kNowMs + 20, 0), std::pair(int64_t{10}, int64_t{0}));
  EXPECT_EQ(raise(kNowMs + 30, 0), std::pair(int64_t{10}, int64_t{20}));
  EXPECT_EQ(raise(kNowMs + 40, kNowMs + 50), std::pair(int64_t{10}, int64_t{30}));
  EXPECT_EQ(raise(kNowMs + 60, 0), std::pair(int64_t{50}, int64_t{0}));
  // The connection was replaced before the reply came: the same request may have been carried out.
  world.store.silent = true;
  world.Submit(Kind::kRaise, kNowMs + 70);
  world.source.Resubmit(world.Now());
  EXPECT_EQ(world.store.requests.back().offered_ms, kNowMs + 70);
  LeaseSource successor(world.store, world.memo, MakeToken);
  successor.Submit({.kind = Kind::kRaise, .ceiling_ms = kNowMs + 80}, world.Now());
  EXPECT_EQ(world.store.requests.back().stored_ms, kNowMs + 50);
  EXPECT_EQ(world.store.requests.back().offered_ms, kNowMs + 70);
}

// A reply from a cluster.
StoreReply From(uint64_t cluster, StoreReply reply) {
  reply.cluster = cluster;
  return reply;
}

TEST(LeaseSource, TheClusterOfTheLeaseGoesWithEachRequest) {
  SourceWorld world;
  world.Ask(Kind::kClaim, From(1, Fenced(SourceWorld::Claimed(), 1000, 1000)));
  EXPECT_EQ(world.store.requests.back().cluster, 0u) << "nothing is known of the store";
  EXPECT_EQ(world.answer.lease.cluster, 1u);
  EXPECT_EQ(world.answer.lease.revision, 1000);
  LeaseSource successor(world.store, world.memo, MakeToken);
  successor.Submit({.kind = Kind::kRaise, .ceiling_ms = kNowMs}, world.Now());
  EXPECT_EQ(world.store.requests.back().cluster, 1u);
}

// By then the holders of worker ids in the former cluster have reached their ceilings, if that cluster is gone.
TEST(LeaseSource, AnotherClusterIsTrustedAfterOneTtl) {
  SourceWorld world;
  world.Ask(Kind::kClaim, From(1, Fenced(SourceWorld::Claimed(), 1000, 1000)));
  world.Ask(Kind::kRaise, From(2, SourceWorld::Lost(Why::kOtherCluster)));
  EXPECT_EQ(world.source.view().lost, Why::kOtherCluster);
  EXPECT_EQ(world.source.view().cluster, 1u);
  EXPECT_EQ(world.source.view().other_cluster, 2u);
  EXPECT_EQ(world.source.view().other_until_ms, kNowMs + world.boot_us / kUsPerMs - 1000000 + kTtlMs);
  const StoreReply other = From(2, SourceWorld::Busy(Why::kOtherCluster, 0));
  for (int i = 0; i < 3; ++i) {
    world.Ask(Kind::kClaim, other);
    EXPECT_EQ(world.answer.outcome, SourceOutcome::kBusy);
    EXPECT_EQ(world.store.requests.back().cluster, 1u);
    EXPECT_EQ(world.store.requests.back().revision, 1000);
    world.boot_us += (kTtlMs - 1) * kUsPerMs / 2;
  }
  world.boot_us += 1000;
  world.Ask(Kind::kClaim, From(2, Fenced(SourceWorld::Claimed(), 5, 5)));
  EXPECT_EQ(world.store.requests.back().cluster, 2u);
  EXPECT_EQ(world.store.requests.back().revision, 0) << "revisions of two clusters do not compare";
  EXPECT_TRUE(world.answer.ok());
  EXPECT_EQ(world.source.view().cluster, 2u);
  EXPECT_EQ(world.source.view().other_cluster, 0u);
  world.Submit(Kind::kRaise);
  EXPECT_EQ(world.store.requests.back().cluster, 2u);
  EXPECT_EQ(world.store.requests.back().revision, 5);
}

TEST(LeaseSource, TheFormerClusterIsTrustedAtOnceWhenItIsBack) {
  SourceWorld world;
  world.Ask(Kind::kClaim, From(1, Fenced(SourceWorld::Claimed(), 1000, 1000)));
  world.Ask(Kind::kRaise, From(2, SourceWorld::Lost(Why::kOtherCluster)));
  world.boot_us += (kTtlMs + 1) * kUsPerMs;
  world.Ask(Kind::kClaim, From(1, SourceWorld::Busy(Why::kOtherCluster, 0)));
  EXPECT_EQ(world.store.requests.back().cluster, 2u);
  EXPECT_EQ(world.source.view().other_cluster, 0u);
  world.Submit(Kind::kClaim);
  EXPECT_EQ(world.store.requests.back().cluster, 1u);
  EXPECT_EQ(world.store.requests.back().revision, 1000);
  // The next wait is a whole one.
  world.store.reply = From(2, SourceWorld::Busy(Why::kOtherCluster, 0));
  ASSERT_TRUE(world.Poll());
  world.boot_us += (kTtlMs - 1) * kUsPerMs;
  world.Submit(Kind::kClaim);
  EXPECT_EQ(world.store.requests.back().cluster, 1u);
}

TEST(LeaseSource, AfterACrashTheLocalFileSaysWhichClusterAndRevision) {
  SourceWorld world;
  FencedLease previous = kPrevious;
  previous.cluster = 1;
  previous.revision = 950;
  world.source.Submit({.kind = Kind::kClaim, .previous = previous}, world.Now());
  EXPECT_EQ(world.store.requests.back().cluster, 1u);
  EXPECT_EQ(world.store.requests.back().revision, 950);
  world.store.reply = From(2, SourceWorld::Busy(Why::kOtherCluster, 0));
  ASSERT_TRUE(world.Poll());
  EXPECT_EQ(world.source.view().cluster, 1u);
  EXPECT_EQ(world.source.view().other_cluster, 2u);
}

TEST(LeaseSource, NothingOfTheFormerStoreIsAskedOfAnother) {
  SourceWorld world;
  world.source.SetRules({.source = 5, .ttl_ms = kTtlMs, .release_within_us = kReleaseWithinUs});
  world.Ask(Kind::kClaim, From(1, Fenced(SourceWorld::Claimed(), 1000, 1000)));
  world.Ask(Kind::kRelease, SourceWorld::Done());
  world.source.SetRules({.source = 5, .ttl_ms = 2 * kTtlMs, .release_within_us = kReleaseWithinUs});
  world.Submit(Kind::kClaim);
  EXPECT_EQ(world.store.requests.back().cluster, 1u);
  world.source.SetRules({.source = 6, .ttl_ms = kTtlMs, .release_within_us = kReleaseWithinUs});
  world.Submit(Kind::kClaim);
  EXPECT_EQ(world.store.requests.back().cluster, 0u);
  EXPECT_EQ(world.store.requests.back().revision, 0);
}

TEST(LeaseSource, AnotherWorkerProcessKnowsTheStoreEvenWithoutALease) {
  for (const uint64_t wanted : {5, 6}) {
    LeaseMemo memo = {};
    memo.cluster = 1;
    memo.revision = 1000;
    OriginOf(memo, /*has_identity=*/false, 5, wanted, /*leased=*/true);
    EXPECT_EQ(memo.cluster, wanted == 5 ? 1u : 0u);
    EXPECT_EQ(memo.revision, wanted == 5 ? 1000 : 0);
  }
}

TEST(LeaseSource, AStoreThatDoesNotFenceHasNoFence) {
  SourceWorld world;
  world.Claim();
  EXPECT_FALSE(world.answer.lease.known());
  world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs), kNowMs);
  EXPECT_FALSE(world.answer.lease.known());
  EXPECT_EQ(world.store.requests.back().fence, 0);
  EXPECT_EQ(world.store.requests.back().revision, 0);
}

TEST(LeaseSource, ALostTokenIsForgotten) {
  SourceWorld world;
  world.Claim();
  EXPECT_EQ(world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kTaken)).outcome, SourceOutcome::kLost);
  EXPECT_EQ(world.Token(), "");
  EXPECT_FALSE(world.memo.worker_known);
}

TEST(LeaseSource, AFailedRenewalForgetsNothing) {
  SourceWorld world;
  world.Claim();
  const std::string token = world.Token();
  EXPECT_EQ(world.Ask(Kind::kRaise, {}).outcome, SourceOutcome::kFailed);
  EXPECT_EQ(world.Token(), token);
  EXPECT_TRUE(world.memo.worker_known);
}

TEST(LeaseSource, TheTokenIsForgottenBeforeItsReleaseIsSent) {
  SourceWorld world;
  world.Claim();
  const std::string token = world.Token();
  world.Submit(Kind::kRelease);
  EXPECT_EQ(world.Sent(), token);
  EXPECT_EQ(world.store.memos.back(), "");
  EXPECT_FALSE(world.memo.worker_known);
}

TEST(LeaseSource, TheLastExpiryIsOfThisAcquisition) {
  SourceWorld world;
  world.Claim();
  world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs));
  EXPECT_EQ(world.memo.last_expiry_ms, kNowMs + 2 * kTtlMs);
  world.Ask(Kind::kRaise, {});
  EXPECT_EQ(world.memo.last_expiry_ms, kNowMs + 2 * kTtlMs) << "a failure changes nothing";
  world.Ask(Kind::kRelease, SourceWorld::Done());
  world.Submit(Kind::kClaim);
  EXPECT_EQ(world.memo.last_expiry_ms, 0);
}

// Goes on only with a published identity that came, by an answered token, from where the settings still point.
TEST(LeaseSource, AnotherWorkerProcessContinuesWithNothingElse) {
  const struct {
    bool has_identity, same_source, leased, has_token, worker_known, goes_on, keeps_token;
  } cases[] = {
      {true, true, true, true, true, true, true},     {false, true, true, true, true, true, false},
      {true, false, true, true, true, false, false},  {true, true, true, false, false, false, false},
      {true, true, true, true, false, false, false},  {true, true, false, false, false, true, false},
      {true, false, false, true, true, false, false}, {true, true, true, false, true, false, false},
  };
  for (const auto& a_case : cases) {
    LeaseMemo memo = {};
    if (a_case.has_token) MakeToken(memo.token);
    memo.worker_known = a_case.worker_known;
    const Origin origin = OriginOf(memo, a_case.has_identity, a_case.same_source ? 5 : 6, 5, a_case.leased);
    EXPECT_EQ(origin.source, 5u);
    EXPECT_EQ(origin.leased, a_case.leased);
    EXPECT_EQ(origin.of_identity, a_case.goes_on) << &a_case - cases;
    EXPECT_EQ(memo.token[0] != '\0', a_case.keeps_token) << &a_case - cases;
  }
}

// ---- requests and answers

TEST(LeaseSource, AClaimsAnswerIsTheWorkerAndItsFloor) {
  SourceWorld world;
  const SourceAnswer& answer = world.Claim(9);
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer.request.kind, Kind::kClaim);
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.worker, 9u);
  EXPECT_EQ(answer.floor_ms, kNowMs - 5000);
  EXPECT_EQ(answer.source_now_ms, kNowMs);
  EXPECT_EQ(answer.retry_after_us, 0);
}

TEST(LeaseSource, ARaiseIsARenewalOfWhatWasClaimed) {
  SourceWorld world;
  world.Claim(9);
  world.Submit(Kind::kRaise, kNowMs + 11000);
  const StoreRequest& request = world.store.requests.back();
  EXPECT_EQ(request.kind, StoreRequest::Kind::kRenew);
  EXPECT_EQ(request.token, world.Token());
  EXPECT_EQ(request.worker, 9u);
  EXPECT_EQ(request.ceiling_ms, kNowMs + 11000);
  EXPECT_EQ(request.last_expiry_ms, kNowMs + kTtlMs);
}

TEST(LeaseSource, ARaisesAnswerIsWhatWasGrantedAndNeverMore) {
  SourceWorld world;
  world.Claim();
  EXPECT_EQ(world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs + 3), kNowMs + 5).granted_ms, kNowMs + 3);
  EXPECT_EQ(world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs + 9), kNowMs + 5).granted_ms, kNowMs + 5);
  EXPECT_EQ(world.Ask(Kind::kRaise, {}, kNowMs + 5).granted_ms, 0);
}

TEST(LeaseSource, NothingIsAnsweredBeforeTheStoreHas) {
  SourceWorld world;
  EXPECT_FALSE(world.Poll());
  world.store.silent = true;
  world.Submit(Kind::kClaim);
  world.boot_us += 3600 * kUsPerSecond;
  EXPECT_FALSE(world.Poll());
  world.store.silent = false;
  EXPECT_TRUE(world.Poll());
  EXPECT_FALSE(world.Poll()) << "one answer to one request";
}

TEST(LeaseSource, ARequestThatIsSupersededIsNotAnswered) {
  SourceWorld world;
  world.Claim();
  world.store.silent = true;
  world.Submit(Kind::kRaise, kNowMs + 11000);
  world.Submit(Kind::kRelease);
  world.store.silent = false;
  world.store.reply = SourceWorld::Done();
  ASSERT_TRUE(world.Poll());
  EXPECT_EQ(world.answer.request.kind, Kind::kRelease);
  EXPECT_FALSE(world.Poll());
}

// ---- releases

TEST(LeaseSource, AReleaseNamesTheWorkerIfItIsKnown) {
  SourceWorld world;
  world.Submit(Kind::kClaim);
  world.Submit(Kind::kRelease);
  EXPECT_FALSE(world.store.requests.back().worker_known) << "the claim was not answered";
  world.Claim(9);
  EXPECT_TRUE(world.Ask(Kind::kRelease, SourceWorld::Done()).ok());
  EXPECT_EQ(world.store.requests.back().kind, StoreRequest::Kind::kRelease);
  EXPECT_TRUE(world.store.requests.back().worker_known);
  EXPECT_EQ(world.store.requests.back().worker, 9u);
}

TEST(LeaseSource, WithoutATokenAReleaseIsAnsweredAtOnce) {
  SourceWorld world;
  world.Submit(Kind::kRelease);
  EXPECT_TRUE(world.store.requests.empty());
  EXPECT_EQ(world.source.wants(world.boot_us).wake_boot_us, world.boot_us);
  EXPECT_TRUE(world.Poll());
  EXPECT_EQ(world.answer.request.kind, Kind::kRelease);
  EXPECT_FALSE(world.Poll());
}

TEST(LeaseSource, AReleaseIsGivenUpInTime) {
  SourceWorld world;
  world.Claim();
  world.store.silent = true;
  world.Submit(Kind::kRelease);
  EXPECT_EQ(world.source.wants(world.boot_us).wake_boot_us, world.boot_us + kReleaseWithinUs);
  world.boot_us += kReleaseWithinUs - 1;
  EXPECT_FALSE(world.Poll());
  world.boot_us += 1;
  EXPECT_TRUE(world.Poll());
  EXPECT_EQ(world.answer.outcome, SourceOutcome::kFailed);
  EXPECT_FALSE(world.store.under_way);
  EXPECT_EQ(world.Token(), "");
}

TEST(LeaseSource, WantsWhatTheStoreWants) {
  SourceWorld world;
  EXPECT_EQ(world.source.wants(world.boot_us).wake_boot_us, io::kNever);
  world.store.silent = true;
  world.Submit(Kind::kClaim);
  EXPECT_EQ(world.source.wants(world.boot_us).fd, 7);
  EXPECT_EQ(world.source.wants(world.boot_us).wake_boot_us, world.boot_us + 5 * kUsPerSecond);
  world.store.silent = false;
  world.Poll();
  EXPECT_EQ(world.source.wants(world.boot_us).wake_boot_us, io::kNever);
}

// ---- how soon it tries again

TEST(LeaseSource, BacksOffWithJitterAndABound) {
  SourceWorld world;
  std::vector<int64_t> waits;
  for (int i = 0; i < 40; ++i) waits.push_back(world.Ask(Kind::kClaim, {}).retry_after_us);
  for (size_t i = 0; i < waits.size(); ++i) {
    const int64_t whole_us = i < 6 ? 20 * kUsPerMs << i : kUsPerSecond;
    EXPECT_GE(waits[i], whole_us / 2) << i;
    EXPECT_LE(waits[i], whole_us) << i;
  }
  std::sort(waits.begin() + 6, waits.end());
  EXPECT_GT(std::unique(waits.begin() + 6, waits.end()) - waits.begin(), 30) << "it has no jitter";
}

TEST(LeaseSource, BacksOffLessIfTheTtlIsShort) {
  SourceWorld world;
  world.source.SetRules({.ttl_ms = 3000, .release_within_us = kReleaseWithinUs});
  for (int i = 0; i < 40; ++i) EXPECT_LE(world.Ask(Kind::kClaim, {}).retry_after_us, 200 * kUsPerMs);
}

TEST(LeaseSource, ServersThatFailTogetherComeBackApart) {
  std::vector<int64_t> waits;
  for (int server = 0; server < 20; ++server) {
    SourceWorld world;
    for (int i = 0; i < 10; ++i) world.Ask(Kind::kClaim, {});
    waits.push_back(world.answer.retry_after_us);
  }
  std::sort(waits.begin(), waits.end());
  EXPECT_GT(std::unique(waits.begin(), waits.end()) - waits.begin(), 15);
}

TEST(LeaseSource, ASuccessEndsTheBackoff) {
  SourceWorld world;
  for (int i = 0; i < 20; ++i) world.Ask(Kind::kClaim, {});
  world.Claim();
  EXPECT_LE(world.Ask(Kind::kRaise, {}).retry_after_us, 20 * kUsPerMs);
}

TEST(LeaseSource, WaitsUntilTheStoreSaid) {
  SourceWorld world;
  for (int i = 0; i < 20; ++i) {
    const SourceAnswer& answer = world.Ask(Kind::kClaim, SourceWorld::Busy(Why::kCrashes, 300));
    EXPECT_EQ(answer.outcome, SourceOutcome::kBusy);
    EXPECT_GE(answer.retry_after_us, 300 * kUsPerMs);
    EXPECT_LE(answer.retry_after_us, 330 * kUsPerMs);
  }
}

// A worker id may be released, or the prefix declared new, before then.
TEST(LeaseSource, WaitsForABusyStoreForAboutASecondAtMost) {
  SourceWorld world;
  for (const int64_t for_ms : {int64_t{30000}, int64_t{1001}, int64_t{0}, int64_t{-5000}, kNowMs}) {
    const int64_t wait_us = world.Ask(Kind::kClaim, SourceWorld::Busy(Why::kQuarantine, for_ms)).retry_after_us;
    EXPECT_GE(wait_us, kUsPerSecond / 2) << for_ms;
    EXPECT_LE(wait_us, kUsPerSecond) << for_ms;
  }
}

TEST(LeaseSource, ClaimsAgainSoonAfterALoss) {
  SourceWorld world;
  world.Claim();
  const int64_t wait_us = world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kForgotten)).retry_after_us;
  EXPECT_GT(wait_us, 0);
  EXPECT_LE(wait_us, 20 * kUsPerMs);
}

TEST(LeaseSource, BacksOffIfEachLeaseIsLostAgain) {
  SourceWorld world;
  const auto lose = [&world] {
    world.Claim();
    world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs + 1000), kNowMs + 1000);
    const int64_t wait_us = world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kForgotten)).retry_after_us;
    world.boot_us += wait_us;
    return wait_us;
  };
  for (int64_t most_us = 20 * kUsPerMs; most_us < kUsPerSecond; most_us *= 2) {
    const int64_t wait_us = lose();
    EXPECT_GE(wait_us, most_us / 2);
    EXPECT_LE(wait_us, most_us);
  }
  for (int i = 0; i < 200; ++i) ASSERT_GE(lose(), kUsPerSecond / 2);
  world.Claim();
  world.boot_us += 10 * kUsPerSecond;
  EXPECT_LE(world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kTaken)).retry_after_us, 20 * kUsPerMs)
      << "that one had lasted";
}

TEST(LeaseSource, RenewsEveryTwoSecondsOrMoreOftenIfTheTtlOrTheWindowIsShort) {
  EXPECT_EQ(LeaseSource::RenewEveryUs(60000, 40000), 2 * kUsPerSecond);
  EXPECT_EQ(LeaseSource::RenewEveryUs(30000, 20000), 2 * kUsPerSecond);
  EXPECT_EQ(LeaseSource::RenewEveryUs(3000, 2000), 200 * kUsPerMs);
  EXPECT_EQ(LeaseSource::RenewEveryUs(30000, 1000), 250 * kUsPerMs);
}

// ---- a store that is set up again

TEST(LeaseSource, ResubmitRepeatsTheRequestInProgress) {
  SourceWorld world;
  world.store.silent = true;
  world.Submit(Kind::kClaim);
  const std::string token = world.Token();
  world.source.Resubmit(world.Now());
  ASSERT_EQ(world.store.requests.size(), 2u);
  EXPECT_EQ(world.Sent(), token);
  world.store.silent = false;
  world.Claim();
  world.store.silent = true;
  world.Submit(Kind::kRaise, kNowMs + 11000);
  world.source.Resubmit(world.Now());
  EXPECT_EQ(world.store.requests.back().ceiling_ms, kNowMs + 11000);
  EXPECT_EQ(world.store.requests.back().token, world.Token());
}

TEST(LeaseSource, ResubmitDoesNothingIfNoRequestIsInProgress) {
  SourceWorld world;
  world.source.Resubmit(world.Now());
  world.Claim();
  world.source.Resubmit(world.Now());
  EXPECT_EQ(world.store.requests.size(), 1u);
  EXPECT_FALSE(world.Poll());
}

TEST(LeaseSource, ResubmitEndsAReleaseWhoseTokenIsGone) {
  SourceWorld world;
  world.Claim();
  world.store.silent = true;
  world.Submit(Kind::kRelease);
  const size_t asked = world.store.requests.size();
  world.source.Resubmit(world.Now());
  EXPECT_EQ(world.store.requests.size(), asked);
  ASSERT_TRUE(world.Poll());
  EXPECT_EQ(world.answer.request.kind, Kind::kRelease);
}

// ---- the view

TEST(LeaseSource, ShowsTheLease) {
  SourceWorld world;
  world.store.reply = SourceWorld::Claimed();
  world.store.reply.memory = StoreMemory::kEvicts;
  world.Submit(Kind::kClaim);
  world.boot_us += 3000;
  ASSERT_TRUE(world.Poll());
  const LeaseView& view = world.source.view();
  EXPECT_EQ(view.expiry_ms, kNowMs + kTtlMs);
  EXPECT_EQ(view.latency_us, 3000);
  EXPECT_EQ(view.store_lags_us, world.Now().wall_us - kNowMs * kUsPerMs);
  EXPECT_EQ(view.renewed_at_ms, 0);
  EXPECT_EQ(view.memory, StoreMemory::kEvicts);
  world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs));
  EXPECT_EQ(view.expiry_ms, kNowMs + 2 * kTtlMs);
  EXPECT_EQ(view.renewed_at_ms, core::MsOf(world.Now().wall_us));
  EXPECT_EQ(view.memory, StoreMemory::kEvicts) << "most renewals tell nothing of it";
  StoreReply first = SourceWorld::Renewed(kNowMs);
  first.memory = StoreMemory::kUnlimited;
  world.Ask(Kind::kRaise, first);
  EXPECT_EQ(view.memory, StoreMemory::kUnlimited) << "the first over a connection does";
  world.Ask(Kind::kRelease, SourceWorld::Done());
  EXPECT_EQ(view.expiry_ms, 0);
}

TEST(LeaseSource, ShowsFailuresSinceTheFirst) {
  SourceWorld world;
  world.Claim();
  const LeaseView& view = world.source.view();
  EXPECT_EQ(view.failing_since_ms, 0);
  const int64_t first_ms = core::MsOf(world.Now().wall_us);
  for (int i = 1; i <= 3; ++i) {
    world.Ask(Kind::kRaise, {});
    EXPECT_EQ(view.failures, i);
    EXPECT_EQ(view.failing_since_ms, first_ms);
    EXPECT_STREQ(view.problem, "no luck");
    world.boot_us += kUsPerSecond;
  }
  EXPECT_EQ(view.expiry_ms, kNowMs + kTtlMs) << "it may still be held";
  world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs));
  EXPECT_EQ(view.failures, 0);
  EXPECT_EQ(view.failing_since_ms, 0);
}

TEST(LeaseSource, ShowsWhyNoWorkerIsAvailable) {
  SourceWorld world;
  world.Ask(Kind::kClaim, SourceWorld::Busy(Why::kFull, 3000));
  EXPECT_EQ(world.source.view().busy, Why::kFull);
  EXPECT_EQ(world.source.view().busy_until_ms, kNowMs + 3000);
  EXPECT_EQ(world.source.view().failures, 0);
  world.Claim();
  EXPECT_EQ(world.source.view().busy, Why::kNone);
}

TEST(LeaseSource, ShowsWhyTheLastLeaseWasLost) {
  SourceWorld world;
  world.Claim();
  world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kForgotten));
  EXPECT_EQ(world.source.view().lost, Why::kForgotten);
  EXPECT_EQ(world.source.view().expiry_ms, 0);
  EXPECT_EQ(world.source.view().failures, 0);
  world.Claim();
  EXPECT_EQ(world.source.view().lost, Why::kForgotten) << "it was";
}

// ---- a server that has the leased worker id as its static one

TEST(LeaseSource, ARenewalReportsAServerWithTheSameStaticWorkerId) {
  SourceWorld world;
  world.Claim(7);
  StoreReply renewed = SourceWorld::Renewed(kNowMs + 5000);
  world.Ask(Kind::kRaise, renewed, kNowMs + 5000);
  EXPECT_FALSE(world.source.view().rival.seen());
  renewed.rival = StoreReply::Rival::kStatic;
  renewed.rival_holder = "other|5432|/data";
  world.Ask(Kind::kRaise, renewed, kNowMs + 5000);
  EXPECT_EQ(world.source.view().rival.worker, 7u);
  EXPECT_STREQ(world.source.view().rival.holder, "other|5432|/data");
  world.Ask(Kind::kRaise, SourceWorld::Lost(Why::kTaken));
  EXPECT_FALSE(world.source.view().rival.seen());
}

// ---- a promotion

TEST(LeaseSource, ARenewalUnderWayAtThePromotionIsGivenUpAndItsReplyIgnored) {
  SourceWorld world;
  world.Claim();
  world.store.silent = true;
  world.store.reply = SourceWorld::Renewed(kNowMs + 20000);
  world.Submit(Kind::kRaise, kNowMs + 20000);
  world.Submit(Kind::kSettle, kNowMs + 10000);
  EXPECT_EQ(world.store.requests.size(), 2u) << "the store is asked for nothing";
  world.store.silent = false;
  EXPECT_FALSE(world.Poll());
  EXPECT_EQ(world.Ask(Kind::kRaise, SourceWorld::Renewed(kNowMs + 20000), kNowMs + 20000).granted_ms, kNowMs + 20000);
}

}  // namespace
}  // namespace idgen::lease
