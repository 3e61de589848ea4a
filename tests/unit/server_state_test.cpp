// The worker's steps on the shared state: lines, floors, seals.
#include "core/server_state.h"

#include <gtest/gtest.h>

#include <vector>

#include "support.h"

namespace idgen::core {
namespace {

using Memory = PlainMemory;

TEST(ServerState, OneLayoutHasOneLine) {
  Server server;
  EXPECT_EQ(FindOrMakeLine<Memory>(*server.state, kDefaultLayout), &server.line);
  EXPECT_EQ(server.state->line_count, 1u);
}

TEST(ServerState, WhateverDeterminesTheBitsMakesAnotherLine) {
  std::vector<Layout> layouts(8, kDefaultLayout);
  layouts[1].epoch_ms += 1;
  layouts[2].unit_ms = 10;
  layouts[3].time.width = 40;
  layouts[4].region = {.shift = 62, .width = 1};
  layouts[5].app = {.shift = 62, .width = 1};
  layouts[6].worker.width = 9;
  layouts[7].sequence.width = 11;
  Server server;
  for (const Layout& layout : layouts) FindOrMakeLine<Memory>(*server.state, layout);
  EXPECT_EQ(server.state->line_count, layouts.size());
}

TEST(ServerState, WhenAllLinesAreTakenOnlyKnownLayoutsAreFound) {
  Server server;
  Layout layout = kDefaultLayout;
  for (uint32_t i = 1; i < kMaxLines; ++i) {
    layout.epoch_ms += 1;
    ASSERT_NE(FindOrMakeLine<Memory>(*server.state, layout), nullptr);
  }
  EXPECT_NE(FindOrMakeLine<Memory>(*server.state, layout), nullptr);
  EXPECT_EQ(FindOrMakeLine<Memory>(*server.state, kDefaultLayout), &server.line);
  layout.epoch_ms += 1;
  EXPECT_EQ(FindOrMakeLine<Memory>(*server.state, layout), nullptr);
}

TEST(ServerState, ALineMadeAfterTheFoldStartsAtTheFloor) {
  Server server;
  FoldFloor<Memory>(*server.state, kNowMs);
  EXPECT_EQ(FindOrMakeLine<Memory>(*server.state, kTenMs)->next, PositionAt(kTenMs, kNowMs));
}

TEST(ServerState, AFloorIsFoldedIntoEveryLine) {
  Server server;
  Line* other = FindOrMakeLine<Memory>(*server.state, kOneSecond);
  FoldFloor<Memory>(*server.state, kNowMs);
  EXPECT_EQ(server.state->floor_ms, static_cast<uint64_t>(kNowMs));
  EXPECT_EQ(server.line.next, PositionAt(kDefaultLayout, kNowMs));
  EXPECT_EQ(other->next, PositionAt(kOneSecond, kNowMs));
}

TEST(ServerState, AFoldLowersNothing) {
  Server server;
  const Position further = PositionAt(kDefaultLayout, kNowMs + 1) + 3;
  server.line.next = further;
  FoldFloor<Memory>(*server.state, kNowMs);
  EXPECT_EQ(server.line.next, further);
}

TEST(ServerState, AFoldLowersNothingThatMovesConcurrently) {
  Server server;
  const Position further = PositionAt(kDefaultLayout, kNowMs + 1);
  int steps = 0;
  const Hook hook([&](Step) {
    if (++steps == 2) server.line.next = further;  // between the load and the swap
  });
  RaiseNext<HookMemory>(server.line, PositionAt(kDefaultLayout, kNowMs), Step::kFold);
  EXPECT_EQ(server.line.next, further);
}

TEST(ServerState, AFloorBeforeUnixTimeCountsAsZero) {
  Server server;
  FoldFloor<Memory>(*server.state, -5);
  EXPECT_EQ(server.state->floor_ms, 0u);
  EXPECT_EQ(server.line.next, 0u);
}

TEST(ServerState, ASealMovesEveryLineToATickThatNobodyHasReservedIn) {
  Server server;
  Line* other = FindOrMakeLine<Memory>(*server.state, kTenMs);
  const Position tick = PositionAt(kDefaultLayout, kNowMs);
  server.line.next = tick + 5;
  other->next = PositionAt(kTenMs, kNowMs) + 1;
  Seal<Memory>(*server.state);
  EXPECT_EQ(server.line.next, tick + 4096);
  EXPECT_EQ(other->next, PositionAt(kTenMs, kNowMs + 10));
}

TEST(ServerState, ASealMovesALineThatIsAtTheStartOfATick) {
  Server server;
  const Position tick = PositionAt(kDefaultLayout, kNowMs);
  server.line.next = tick;
  Seal<Memory>(*server.state);
  EXPECT_EQ(server.line.next, tick + 4096);
}

TEST(ServerState, ASealMovesALayoutWithoutSequence) {
  Layout layout = kTenMs;
  layout.sequence = {};
  Server server(layout);
  server.line.next = 17;
  Seal<Memory>(*server.state);
  EXPECT_EQ(server.line.next, 18u);
}

TEST(ServerState, ASealCountsAReservationThatWonAgainstIt) {
  Server server;
  const Position tick = PositionAt(kDefaultLayout, kNowMs);
  server.line.next = tick + 5;
  int steps = 0;
  const Hook hook([&](Step) {
    if (++steps == 2) server.line.next = tick + 4096 + 1;  // between the seal's load and its swap
  });
  Seal<HookMemory>(*server.state);
  EXPECT_EQ(server.line.next, tick + 2 * 4096);
}

TEST(ServerState, TheSealedTimeIsThatOfTheLineFurthestAlong) {
  Server server;
  Line* other = FindOrMakeLine<Memory>(*server.state, kTenMs);
  server.line.next = PositionAt(kDefaultLayout, kNowMs) + 1;
  other->next = PositionAt(kTenMs, kNowMs + 500) + 1;
  Seal<Memory>(*server.state);
  EXPECT_EQ(SealedTimeMs<Memory>(*server.state, kNowMs + 9999), kNowMs + 510);
  server.line.next = PositionAt(kDefaultLayout, kNowMs + 777) + 1;
  Seal<Memory>(*server.state);
  EXPECT_EQ(SealedTimeMs<Memory>(*server.state, kNowMs + 9999), kNowMs + 778);
}

// A reservation's tick may be the last below the ceiling; the ceiling itself then bounds it.
TEST(ServerState, TheSealedTimeIsAtMostTheCeiling) {
  Server server(kOneSecond);
  server.line.next = PositionAt(kOneSecond, kNowMs) + 1;
  Seal<Memory>(*server.state);
  EXPECT_EQ(SealedTimeMs<Memory>(*server.state, kNowMs + 600), kNowMs + 600);
}

TEST(ServerState, TheSealedTimeIsAtLeastTheFloor) {
  Server server(kOneSecond);
  FoldFloor<Memory>(*server.state, kNowMs + 999);
  EXPECT_EQ(SealedTimeMs<Memory>(*server.state, kNowMs + 5000), kNowMs + 999);
}

// What a clean stop releases is a floor that lies above all that was reserved, in every layout.
TEST(ServerState, TheSealedTimeIsAFloorAboveEverythingReserved) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond}) {
    Server server(layout);
    for (const uint64_t used : {uint64_t{1}, layout.sequence.MaxValue(), layout.sequence.MaxValue() + 1}) {
      const Position end = PositionAt(layout, kNowMs) + used;
      server.line.next = end;
      Seal<Memory>(*server.state);
      EXPECT_GE(PositionAt(layout, SealedTimeMs<Memory>(*server.state, kNowMs + 11000)), end);
    }
  }
}

TEST(ServerState, AWithdrawnIdentityIsNone) {
  Server server;
  server.Publish(5, kNowMs);
  EXPECT_EQ(Identity(server.state->identity).worker(), 5u);
  Withdraw<Memory>(*server.state);
  EXPECT_EQ(server.state->identity, 0u);
}

TEST(ServerState, TheClockOffsetIsSigned) {
  Server server;
  SetClock<Memory>(*server.state, -123456789, ClockState::kEstablished);
  EXPECT_EQ(ClockOffsetUs<Memory>(*server.state), -123456789);
  EXPECT_EQ(server.state->clock_state, static_cast<uint64_t>(ClockState::kEstablished));
}

TEST(ServerState, FreshSharedMemoryHasNoClockAndNoIdentity) {
  const Server server;
  EXPECT_EQ(server.state->clock_state, static_cast<uint64_t>(ClockState::kUnset));
  EXPECT_EQ(server.state->identity, 0u);
}

}  // namespace
}  // namespace idgen::core
