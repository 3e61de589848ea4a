// What a server with a static worker id says to the store, and when it takes another for its twin.
#include "lease/presence.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace idgen::lease {
namespace {

using core::kUsPerSecond;
using Rival = StoreReply::Rival;

constexpr int64_t kTtlMs = 30000;
constexpr int64_t kEveryUs = 2 * kUsPerSecond;

class FakeStore final : public LeaseStore {
 public:
  void Begin(const StoreRequest& request, int64_t) noexcept override {
    requests.push_back(request);
    under_way = true;
  }
  bool Step(int64_t, StoreReply* answer) noexcept override {
    if (!under_way || silent) return false;
    under_way = false;
    *answer = reply;
    return true;
  }
  io::Wants wants(int64_t) const noexcept override { return {.fd = 7, .read = true}; }
  const char* problem() const noexcept override { return "no luck"; }
  void Close() noexcept override { under_way = false; }

  StoreReply reply{.outcome = StoreOutcome::kOk};
  bool silent = false;
  bool under_way = false;
  std::vector<StoreRequest> requests;
};

int tokens_made = 0;
void MakeToken(char (&text)[kTokenBytes + 1]) noexcept { snprintf(text, sizeof text, "token-%030d", ++tokens_made); }

struct PresenceWorld {
  PresenceWorld() { presence.SetRules({.ttl_ms = kTtlMs, .every_us = kEveryUs}); }

  core::Instant Now() const { return {.boot_us = boot_us, .wall_us = boot_us + 1000000 * kUsPerSecond}; }
  // A turn that asks, and one that hears the answer.
  void Beat(Rival rival = Rival::kNone, const char* holder = "") {
    store.reply.rival = rival;
    store.reply.rival_holder = holder;
    boot_us += kEveryUs;
    presence.Turn(Now(), worker, ceiling_ms);
    presence.Turn(Now(), worker, ceiling_ms);
  }
  const RivalView& rival() const { return presence.view().rival; }

  int64_t boot_us = 1000 * kUsPerSecond;
  uint32_t worker = 5;
  int64_t ceiling_ms = 4711;
  char token[kTokenBytes + 1] = {};
  FakeStore store;
  Presence presence{store, token, MakeToken};
};

TEST(Presence, AnnouncesItsWorkerIdAndCeilingWithOneToken) {
  PresenceWorld world;
  world.Beat();
  world.ceiling_ms = 4712;
  world.Beat();
  ASSERT_EQ(world.store.requests.size(), 2u);
  EXPECT_EQ(world.store.requests[0].kind, StoreRequest::Kind::kPresent);
  EXPECT_EQ(world.store.requests[0].worker, 5u);
  EXPECT_EQ(world.store.requests[0].ceiling_ms, 4711);
  EXPECT_EQ(world.store.requests[1].ceiling_ms, 4712);
  EXPECT_STREQ(world.store.requests[0].token, world.token);
  EXPECT_STREQ(world.store.requests[1].token, world.token);
}

TEST(Presence, AnnouncesNoMoreOftenThanTold) {
  PresenceWorld world;
  world.Beat();
  for (int i = 0; i < 10; ++i) world.presence.Turn(world.Now(), world.worker, world.ceiling_ms);
  EXPECT_EQ(world.store.requests.size(), 1u);
  EXPECT_EQ(world.presence.wants(world.boot_us).wake_boot_us, world.boot_us + kEveryUs);
}

TEST(Presence, ARestartedProcessKeepsTheToken) {
  PresenceWorld world;
  world.Beat();
  const std::string before = world.token;
  Presence next(world.store, world.token, MakeToken);
  next.Turn(world.Now(), 5, 1);
  EXPECT_EQ(world.store.requests.back().token, before);
}

// It may be its own, from before a crash.
TEST(Presence, AStaticClaimInTheFirstAnswerIsNoRival) {
  PresenceWorld world;
  world.Beat(Rival::kStatic, "same|5432|/data");
  EXPECT_FALSE(world.rival().seen());
  world.Beat();
  EXPECT_FALSE(world.rival().seen());
}

TEST(Presence, AStaticClaimInALaterAnswerIsARival) {
  PresenceWorld world;
  world.Beat();
  world.Beat(Rival::kStatic, "same|5432|/data");
  EXPECT_EQ(world.rival().kind, Rival::kStatic);
  EXPECT_EQ(world.rival().worker, 5u);
  EXPECT_STREQ(world.rival().holder, "same|5432|/data");
  EXPECT_EQ(world.rival().since_ms, core::MsOf(world.Now().wall_us));
}

TEST(Presence, ALeaseIsARivalAtOnce) {
  PresenceWorld world;
  world.Beat(Rival::kLease, "other|5432|/data");
  EXPECT_EQ(world.rival().kind, Rival::kLease);
}

TEST(Presence, ARivalCountsUntilItWasNotSeenForOneTtl) {
  PresenceWorld world;
  world.Beat();
  world.Beat(Rival::kStatic, "a");
  const int64_t since_ms = world.rival().since_ms;
  const int64_t seen_us = world.boot_us;
  while (world.boot_us + kEveryUs < seen_us + kTtlMs * core::kUsPerMs) {
    world.Beat();
    ASSERT_TRUE(world.rival().seen());
    EXPECT_EQ(world.rival().since_ms, since_ms);
  }
  world.Beat();
  EXPECT_FALSE(world.rival().seen());
}

TEST(Presence, WhileTheStoreFailsARivalStays) {
  PresenceWorld world;
  world.Beat();
  world.Beat(Rival::kStatic, "a");
  world.store.reply.outcome = StoreOutcome::kFailed;
  for (int i = 0; i < 100; ++i) world.Beat();
  EXPECT_TRUE(world.rival().seen());
  EXPECT_EQ(world.presence.view().failures, 100);
  EXPECT_STREQ(world.presence.view().problem, "no luck");
  world.store.reply.outcome = StoreOutcome::kOk;
  world.Beat();
  EXPECT_FALSE(world.rival().seen());
  EXPECT_EQ(world.presence.view().failures, 0);
}

TEST(Presence, AnotherWorkerIdHasNoRivalYet) {
  PresenceWorld world;
  world.Beat();
  world.Beat(Rival::kStatic, "a");
  world.worker = 6;
  world.presence.Turn(world.Now(), world.worker, world.ceiling_ms);
  EXPECT_FALSE(world.rival().seen());
  EXPECT_EQ(world.store.requests.back().worker, 6u);
  world.presence.Turn(world.Now(), world.worker, world.ceiling_ms);  // the first answer, which is ignored
  EXPECT_FALSE(world.rival().seen());
  world.Beat(Rival::kStatic, "b");
  EXPECT_TRUE(world.rival().seen());
}

TEST(Presence, AsksNothingWhenStopped) {
  PresenceWorld world;
  world.store.silent = true;
  world.Beat();
  EXPECT_EQ(world.presence.wants(world.boot_us).fd, 7);
  world.presence.Stop();
  EXPECT_FALSE(world.store.under_way);
  EXPECT_EQ(world.presence.wants(world.boot_us).fd, -1);
}

TEST(Presence, WhatIsShownOfARivalIsPrintable) {
  PresenceWorld world;
  world.Beat();
  world.Beat(Rival::kStatic, "h\x1b[31m|5432|/d\xff");
  EXPECT_STREQ(world.rival().holder, "h\\x1b[31m|5432|/d\\xff");
}

}  // namespace
}  // namespace idgen::lease
