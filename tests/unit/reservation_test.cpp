// Reserving positions: where a reservation starts, where it ends, and what it refuses.
#include "core/reservation.h"

#include <gtest/gtest.h>

#include "support.h"

namespace idgen::core {
namespace {

constexpr int64_t kFarMs = kNowMs + 1000000;

Position First(const Server& server, int64_t ms) { return PositionAt(server.line.layout, ms); }

TEST(Reservation, StartsAtTheClock) {
  Server server;
  server.Publish(5, kFarMs);
  const Reservation first = server.Reserve();
  EXPECT_EQ(first.outcome, ReservationOutcome::kOk);
  EXPECT_EQ(first.worker, 5u);
  EXPECT_EQ(first.start, First(server, kNowMs));
  EXPECT_EQ(first.count, 1u);
  EXPECT_EQ(first.now_us, kNowMs * kUsPerMs);
  EXPECT_EQ(server.line.next, first.start + 1);
}

TEST(Reservation, ContinuesWhereThePreviousOneEnded) {
  Server server;
  server.Publish(5, kFarMs);
  const Reservation first = server.Reserve(1, 10);
  EXPECT_EQ(first.count, 10u);
  EXPECT_EQ(server.Reserve().start, first.start + 10);
}

TEST(Reservation, DoesNotGoBackWithTheClock) {
  Server server;
  server.Publish(5, kFarMs);
  const Reservation first = server.Reserve();
  server.now_ms -= 500;
  EXPECT_EQ(server.Reserve().start, first.start + 1);
}

TEST(Reservation, TakesAsManyAsWantedAndAtLeastAsManyAsNeeded) {
  Server server;
  server.Publish(5, kFarMs);
  EXPECT_EQ(server.Reserve(1, 64).count, 64u);
  EXPECT_EQ(server.Reserve(3, 1).count, 3u);
  EXPECT_EQ(server.Reserve(1, 0).count, 1u);
}

TEST(Reservation, AsksForTheSizeWithTheClockItRead) {
  Server server;
  server.Publish(5, kFarMs);
  int64_t asked_with = 0;
  Reserve<PlainMemory>(
      *server.state, server.line, 1, [&](int64_t now_us) { return asked_with = now_us, uint64_t{1}; },
      [] { return kNowMs * kUsPerMs + 789; });
  EXPECT_EQ(asked_with, kNowMs * kUsPerMs + 789);
}

TEST(Reservation, ShrinksToWhatIsLeftBelowTheCeiling) {
  Server server;
  server.Publish(5, kNowMs + 1);  // one tick: 4,096 positions
  EXPECT_EQ(server.Reserve(1, 4000).count, 4000u);
  const Reservation rest = server.Reserve(1, 4000);
  EXPECT_EQ(rest.outcome, ReservationOutcome::kOk);
  EXPECT_EQ(rest.count, 96u);
  EXPECT_EQ(server.Reserve(1, 4000).outcome, ReservationOutcome::kAtCeiling);
}

TEST(Reservation, DoesNotShrinkBelowWhatIsNeeded) {
  Server server;
  server.Publish(5, kNowMs + 1);
  EXPECT_EQ(server.Reserve(4097, 4097).outcome, ReservationOutcome::kAtCeiling);
  EXPECT_EQ(server.Reserve(4096, 4096).count, 4096u);
}

TEST(Reservation, RefusesTheFirstPositionAtTheCeiling) {
  Server server;
  const int64_t ceiling_ms = kNowMs + 3;
  server.Publish(5, ceiling_ms);
  server.line.next = First(server, ceiling_ms) - 1;
  EXPECT_EQ(server.Reserve().start, First(server, ceiling_ms) - 1);
  const Reservation refused = server.Reserve();
  EXPECT_EQ(refused.outcome, ReservationOutcome::kAtCeiling);
  EXPECT_EQ(refused.limit_ms, ceiling_ms);
  EXPECT_EQ(refused.start_ms, ceiling_ms);
  EXPECT_EQ(server.line.next, First(server, ceiling_ms)) << "a refusal takes nothing";
}

TEST(Reservation, AHolderThatSleptBeyondItsCeilingGetsNothing) {
  Server server;
  server.Publish(5, kNowMs + 11000);
  server.Reserve();
  server.now_ms += 3600000;
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kAtCeiling);
}

TEST(Reservation, RunsAheadToTheEndOfTheLastAllowedTick) {
  Server server;
  server.Publish(5, kFarMs);
  const Position end = First(server, kNowMs + 1000 + 1);
  server.line.next = end - 1;
  EXPECT_EQ(server.Reserve().start, end - 1);
  const Reservation refused = server.Reserve();
  EXPECT_EQ(refused.outcome, ReservationOutcome::kTooFarAhead);
  EXPECT_EQ(refused.start_ms, kNowMs + 1001);
  EXPECT_EQ(refused.limit_ms, kNowMs + 1000);
  server.now_ms += 1;
  EXPECT_EQ(server.Reserve().start, end);
}

TEST(Reservation, RunsAheadOnlyAsFarAsThePublishedSettingAllows) {
  Server server;
  server.Publish(5, kFarMs);
  server.state->max_ahead_ms = 0;
  EXPECT_EQ(server.Reserve(4096, 4096).outcome, ReservationOutcome::kOk);
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kTooFarAhead);
  server.state->max_ahead_ms = 1;
  EXPECT_EQ(server.Reserve(1, 9999).count, 4096u);
}

TEST(Reservation, NamesTheLimitThatIsMetFirst) {
  Server server;
  server.line.next = First(server, kNowMs + 5000);
  server.Publish(5, kNowMs + 1000);
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kAtCeiling);
  server.Publish(5, kNowMs + 1002);
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kTooFarAhead);
}

TEST(Reservation, RefusesWithoutAnIdentity) {
  Server server;
  const Reservation refused = server.Reserve();
  EXPECT_EQ(refused.outcome, ReservationOutcome::kNoIdentity);
  EXPECT_EQ(refused.now_us, kNowMs * kUsPerMs);
  EXPECT_EQ(server.line.next, 0u);
}

TEST(Reservation, RefusesAWorkerThatNeedsOneMoreBit) {
  Server server;
  server.Publish(1024, kFarMs);
  const Reservation refused = server.Reserve();
  EXPECT_EQ(refused.outcome, ReservationOutcome::kWorkerTooLarge);
  EXPECT_EQ(refused.worker, 1024u);
  server.Publish(1023, kFarMs);
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(Reservation, RefusesAnyWorkerButZeroIfTheLayoutHasNoField) {
  Layout layout = kTenMs;
  layout.worker = {};
  Server server(layout);
  server.Publish(1, kFarMs);
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kWorkerTooLarge);
  server.Publish(0, kFarMs);
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kOk);
}

TEST(Reservation, RefusesUntilTheEpochBegins) {
  Server server;
  server.Publish(5, kFarMs);
  server.now_ms = server.line.layout.epoch_ms - 1;
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kBeforeEpoch);
  server.now_ms = server.line.layout.epoch_ms;
  const Reservation first = server.Reserve();
  EXPECT_EQ(first.outcome, ReservationOutcome::kOk);
  EXPECT_EQ(first.start, 0u);
}

TEST(Reservation, RefusesBeforeTheEpochEvenIfNextIsFurtherAlong) {
  Server server;
  server.Publish(5, kFarMs);
  server.line.next = First(server, kNowMs);
  server.now_ms = server.line.layout.epoch_ms - 1;
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kBeforeEpoch);
}

TEST(Reservation, IssuesTheLastPositionOfALayoutAndNoMore) {
  Server server(kTiny);
  server.Publish(5, kFarMs);
  server.now_ms = 1023;
  EXPECT_EQ(server.Reserve(1, 100).count, 8u);
  EXPECT_EQ(server.line.next, EndOfLine(kTiny));
  EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kExhausted);
}

TEST(Reservation, RefusesWhatDoesNotFitBeforeTheEndOfALayout) {
  Server server(kTiny);
  server.Publish(5, kFarMs);
  server.now_ms = 1023;
  EXPECT_EQ(server.Reserve(9, 9).outcome, ReservationOutcome::kExhausted);
  EXPECT_EQ(server.Reserve(8, 8).outcome, ReservationOutcome::kOk);
}

TEST(Reservation, IsExhaustedForEverAfterTheEndOfALayout) {
  Server server(kTiny);
  server.Publish(5, kMaxCeilingMs);
  for (const int64_t ms : {int64_t{1024}, int64_t{2048}, kNowMs}) {
    server.now_ms = ms;
    EXPECT_EQ(server.Reserve().outcome, ReservationOutcome::kExhausted) << ms;
  }
}

// What one holder may issue below a ceiling and what the next may issue from that floor never meet, wherever the
// ceiling lies in its tick.
TEST(Reservation, APositionBelowACeilingIsNotAboveTheSameFloor) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond}) {
    for (int64_t in_tick = 0; in_tick < layout.unit_ms; ++in_tick) {
      const int64_t ceiling_ms = kNowMs + layout.unit_ms + in_tick;
      Server holder(layout);
      holder.state->max_ahead_ms = 10000;
      holder.Publish(5, ceiling_ms);
      holder.UseUp();
      ASSERT_GT(holder.line.next, First(holder, kNowMs));

      Server folded(layout);
      FoldFloor<PlainMemory>(*folded.state, ceiling_ms);
      folded.Publish(5, ceiling_ms + 100000);
      folded.state->max_ahead_ms = 10000;
      const Reservation first = folded.Reserve();
      ASSERT_EQ(first.outcome, ReservationOutcome::kOk);
      ASSERT_GE(first.start, holder.line.next) << in_tick << " ms into a tick of " << layout.unit_ms;

      Layout other = layout;
      other.epoch_ms -= layout.unit_ms;
      Line* made_later = FindOrMakeLine<PlainMemory>(*folded.state, other);
      ASSERT_EQ(made_later->next, PositionAt(other, ceiling_ms));
    }
  }
}

}  // namespace
}  // namespace idgen::core
