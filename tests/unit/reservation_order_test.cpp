// Reserving positions while others do: the order in which a reservation looks, and many threads at once.
#include "core/reservation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "support.h"

namespace idgen::core {
namespace {

constexpr int64_t kFarMs = kNowMs + 1000000;

Position First(const Server& server, int64_t ms) { return PositionAt(server.line.layout, ms); }

TEST(Reservation, LoadsNextThenTheIdentityThenTheClock) {
  Server server;
  server.Publish(5, kFarMs);
  std::vector<Step> steps;
  const Hook hook([&](Step step) { steps.push_back(step); });
  Reserve<HookMemory>(
      *server.state, server.line, 1, [](int64_t) { return uint64_t{1}; },
      [&] {
        steps.push_back(Step::kReadClock);
        return kNowMs * kUsPerMs;
      });
  EXPECT_EQ(steps, (std::vector{Step::kLoadNext, Step::kLoadIdentity, Step::kReadClock, Step::kSwapNext}));
}

TEST(Reservation, StartsOverWithIdentityAndClockWhenItLosesTheSwap) {
  Server server;
  server.Publish(5, kFarMs);
  int clock_reads = 0;
  bool meddled = false;
  const Hook hook([&](Step step) {
    if (step != Step::kSwapNext || meddled) return;
    meddled = true;
    server.line.next = First(server, kNowMs + 2);
    server.Publish(6, kFarMs);
  });
  const Reservation reservation = Reserve<HookMemory>(
      *server.state, server.line, 1, [](int64_t) { return uint64_t{1}; },
      [&] {
        ++clock_reads;
        return kNowMs * kUsPerMs;
      });
  EXPECT_EQ(reservation.start, First(server, kNowMs + 2));
  EXPECT_EQ(reservation.worker, 6u);
  EXPECT_EQ(clock_reads, 2);
}

// The reservation has loaded everything and is about to swap when the identity is withdrawn and the lines are sealed:
// whatever line state it was in, it gets nothing.
TEST(Reservation, IsLostWhenTheIdentityIsWithdrawnAndSealedBeforeItsSwap) {
  for (const Position next : {Position{0}, PositionAt(kDefaultLayout, kNowMs), PositionAt(kDefaultLayout, kNowMs) + 7,
                              PositionAt(kDefaultLayout, kNowMs + 900)}) {
    Server server;
    server.Publish(5, kFarMs);
    server.line.next = next;
    bool withdrawn = false;
    const Hook hook([&](Step step) {
      if (step != Step::kSwapNext || withdrawn) return;
      withdrawn = true;
      Withdraw<PlainMemory>(*server.state);
      Seal<PlainMemory>(*server.state);
    });
    EXPECT_EQ(server.Reserve<HookMemory>().outcome, ReservationOutcome::kNoIdentity) << next;
    EXPECT_TRUE(withdrawn);
  }
}

// Between any two of its steps the identity changes hands: it then ends below the seal under the old worker or starts
// at or above it under the new one.
TEST(Reservation, NeverIssuesUnderTheOldWorkerAboveTheSeal) {
  for (const Step at : {Step::kLoadNext, Step::kLoadIdentity, Step::kReadClock, Step::kSwapNext}) {
    Server server;
    server.Publish(5, kFarMs);
    server.Reserve();
    Position sealed = 0;
    const auto change = [&](Step step) {
      if (step != at || sealed != 0) return;
      Withdraw<PlainMemory>(*server.state);
      Seal<PlainMemory>(*server.state);
      sealed = server.line.next;
      server.Publish(6, kFarMs);
    };
    const Hook hook(change);
    const Reservation reservation = Reserve<HookMemory>(
        *server.state, server.line, 1, [](int64_t) { return uint64_t{1}; },
        [&] {
          change(Step::kReadClock);
          return kNowMs * kUsPerMs;
        });
    ASSERT_EQ(reservation.outcome, ReservationOutcome::kOk);
    if (reservation.worker == 5) {
      EXPECT_LE(reservation.start + reservation.count, sealed) << static_cast<int>(at);
    } else {
      EXPECT_GE(reservation.start, sealed) << static_cast<int>(at);
    }
  }
}

// A reservation that loaded `next` is overtaken by a withdrawal, a seal, another holder's use up to the ceiling, and
// the return of the same worker with that floor.
TEST(Reservation, IsLostWhenItSleptThroughAnotherHoldersLease) {
  Server server;
  server.Publish(5, kNowMs + 100);
  bool slept = false;
  const Hook hook([&](Step step) {
    if (step != Step::kSwapNext || slept) return;
    slept = true;
    Withdraw<PlainMemory>(*server.state);
    Seal<PlainMemory>(*server.state);
    FoldFloor<PlainMemory>(*server.state, kNowMs + 200);
    server.Publish(5, kFarMs);
  });
  EXPECT_GE(server.Reserve<HookMemory>().start, First(server, kNowMs + 200));
}

struct Taken {
  Position start;
  uint64_t count;
  uint32_t worker;
};

// Sessions reserve while the identity changes hands again and again, each time with a worker of its own.
TEST(Reservation, ManyThreadsAndChangingWorkersRepeatNothing) {
  constexpr int kThreads = 4;
  constexpr size_t kReservations = 4000;
  constexpr int kTries = 2000000;
  constexpr Layout kWide = {.epoch_ms = kOneSecond.epoch_ms,
                            .unit_ms = 1,
                            .time = {.shift = 23, .width = 40},
                            .region = {},
                            .app = {},
                            .worker = {.shift = 3, .width = 20},
                            .sequence = {.shift = 0, .width = 3}};
  Server server(kWide);
  ServerState& state = *server.state;
  std::atomic<int64_t> clock_us{kNowMs * kUsPerMs};
  std::atomic<int> running{kThreads};
  std::vector<Taken> taken[kThreads];
  std::vector<Position> seals{0};  // seals[w]: where worker w's positions begin

  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int tries = 0; tries < kTries && taken[i].size() < kReservations; ++tries) {
        const uint64_t like = taken[i].size() % 16;
        const Reservation got = Reserve<PlainMemory>(
            state, server.line, 1, [like](int64_t) { return like; }, [&] { return clock_us.fetch_add(37); });
        if (got.outcome == ReservationOutcome::kOk)
          taken[i].push_back({got.start, got.count, got.worker});
        else
          std::this_thread::yield();
      }
      --running;
    });
  }
  std::thread keeper([&] {
    for (uint32_t worker = 1; running > 0 && worker <= kMaxWorker; ++worker) {
      Withdraw<PlainMemory>(state);
      Seal<PlainMemory>(state);
      seals.push_back(server.line.next);
      clock_us += kUsPerMs;  // a seal costs a tick
      Publish<PlainMemory>(state, Identity::Of(worker, MsOf(clock_us) + 5000));
      std::this_thread::yield();
    }
    while (running > 0) {
      clock_us += kUsPerMs;
      Publish<PlainMemory>(state, Identity::Of(kMaxWorker, MsOf(clock_us) + 5000));
    }
  });
  for (std::thread& thread : threads) thread.join();
  keeper.join();
  seals.push_back(UINT64_MAX);

  std::vector<int64_t> ids;
  for (const auto& own : taken) {
    ASSERT_EQ(own.size(), kReservations);
    int64_t last = -1;
    for (const Taken& block : own) {
      ASSERT_GE(block.start, seals[block.worker]);
      ASSERT_LE(block.start + block.count, seals[block.worker + 1]);
      for (uint64_t i = 0; i < block.count; ++i) {
        const int64_t id = Compose(kWide, block.start + i, block.worker);
        ASSERT_GT(id, last) << "a thread's ids went back";
        ids.push_back(last = id);
      }
    }
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

}  // namespace
}  // namespace idgen::core
