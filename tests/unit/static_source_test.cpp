// The static source: what the local file's states mean to the keeper, and the two of them together over many lives.
#include "lease/static_source.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "lease/keeper.h"
#include "memory_disk.h"
#include "support.h"

namespace idgen::lease {
namespace {

constexpr io::ClusterId kCluster{.system_identifier = 7000000000000000001, .timeline = 1};
constexpr const char* kPath = "data/idgen.ceiling";

struct Source {
  explicit Source(MemoryDisk& disk, const io::ClusterId& cluster = kCluster)
      : file(disk, "data", 0600), source(file, cluster) {}
  ~Source() { file.Close(); }

  SourceAnswer Ask(SourceRequest::Kind kind, int64_t ceiling_ms = 0) {
    source.Submit({.kind = kind, .ceiling_ms = ceiling_ms}, {});
    SourceAnswer answer;
    EXPECT_TRUE(source.Poll({}, &answer));
    EXPECT_EQ(answer.request.kind, kind);
    EXPECT_EQ(answer.request.ceiling_ms, ceiling_ms);
    return answer;
  }
  SourceAnswer Claim() { return Ask(SourceRequest::Kind::kClaim); }
  SourceAnswer Raise(int64_t ceiling_ms) { return Ask(SourceRequest::Kind::kRaise, ceiling_ms); }

  io::CeilingFile file;
  StaticSource source;
};

TEST(StaticSource, AnswersOnceAndOnlyWhenAsked) {
  MemoryDisk disk;
  Source source(disk);
  SourceAnswer answer;
  EXPECT_FALSE(source.source.Poll({}, &answer));
  source.Claim();
  EXPECT_FALSE(source.source.Poll({}, &answer));
}

TEST(StaticSource, FindsNoTraceIfThereIsNoFile) {
  MemoryDisk disk;
  const SourceAnswer answer = Source(disk).Claim();
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer.past, Past::kMissing);
  EXPECT_EQ(answer.floor_ms, 0);
}

TEST(StaticSource, FindsWhatItRaised) {
  MemoryDisk disk;
  EXPECT_TRUE(Source(disk).Raise(kNowMs).ok());
  const SourceAnswer answer = Source(disk).Claim();
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(answer.past, Past::kKnown);
  EXPECT_EQ(answer.floor_ms, kNowMs);
}

TEST(StaticSource, ARaiseIsDurableWhenItIsAnswered) {
  MemoryDisk disk;
  Source source(disk);
  source.Raise(kNowMs);
  source.Raise(kNowMs + 1000);
  disk.Crash(MemoryDisk::Unsynced::kLost, /*names_kept=*/false);
  EXPECT_EQ(Source(disk).Claim().floor_ms, kNowMs + 1000);
}

TEST(StaticSource, AReleaseMayBeLower) {
  MemoryDisk disk;
  Source source(disk);
  source.Raise(kNowMs + 11000);
  EXPECT_TRUE(source.Ask(SourceRequest::Kind::kRelease, kNowMs).ok());
  EXPECT_EQ(Source(disk).Claim().floor_ms, kNowMs);
}

TEST(StaticSource, DistinguishesANewServerFromOneThatLostItsFile) {
  MemoryDisk disk;
  EXPECT_EQ(Source(disk).Claim().past, Past::kMissing);
  ASSERT_EQ(Source(disk).file.CreateForNewServer(kCluster, 1), 0);
  EXPECT_EQ(Source(disk).Claim().past, Past::kNew);
}

TEST(StaticSource, DistinguishesDoubtfulPasts) {
  MemoryDisk disk;
  Source(disk).Raise(kNowMs);
  EXPECT_EQ(Source(disk, {.system_identifier = 8, .timeline = 1}).Claim().past, Past::kOtherSystem);
  EXPECT_EQ(Source(disk, {.system_identifier = kCluster.system_identifier, .timeline = 2}).Claim().past,
            Past::kPromoted);
  io::ClusterId restored = kCluster;
  restored.backup = 5;
  EXPECT_EQ(Source(disk, restored).Claim().past, Past::kRestored);
  disk.ReplaceByCopy(kPath);
  EXPECT_EQ(Source(disk).Claim().past, Past::kCopied);
  EXPECT_EQ(Source(disk).Claim().floor_ms, kNowMs);
  disk.SetContents(kPath, "");
  EXPECT_EQ(Source(disk).Claim().past, Past::kDamaged);
}

TEST(StaticSource, AFileThatCannotBeReadIsAnErrorAndNotAPast) {
  MemoryDisk disk;
  Source(disk).Raise(kNowMs);
  for (int nth = 1; nth <= 4; ++nth) {
    disk.FailAt(nth, EIO);
    const SourceAnswer answer = Source(disk).Claim();
    EXPECT_FALSE(answer.ok()) << nth;
    EXPECT_EQ(answer.error, EIO) << nth;
  }
}

TEST(StaticSource, AFailingWriteIsAnErrorWithItsErrno) {
  MemoryDisk disk;
  Source source(disk);
  source.Raise(kNowMs);
  disk.FailAt(1, ENOSPC);
  const SourceAnswer answer = source.Raise(kNowMs + 1000);
  EXPECT_FALSE(answer.ok());
  EXPECT_EQ(answer.error, ENOSPC);
  const SourceAnswer again = source.Raise(kNowMs + 2000);
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(again.error, 0);
}

// Shared memory, worker and file of one server, from its start to its end.
struct Life {
  Life(MemoryDisk& disk, const core::Instant& now) : source(disk), keeper(*server.state, now) {
    wishes.has_worker = true;
    wishes.worker = 5;
    wishes.asked_for = true;
  }

  void Turn(const core::Instant& now) {
    const SourceRequest request = keeper.Advance(now, wishes);
    if (request.kind != SourceRequest::Kind::kNone) source.source.Submit(request, now);
    for (SourceAnswer answer; source.source.Poll({}, &answer);) keeper.Receive(answer, now);
    keeper.DrainEvents([](const Event&) {});
  }
  core::Reservation Reserve(const core::Instant& now, uint64_t count) {
    const int64_t id_clock_us = now.boot_us + core::ClockOffsetUs<core::PlainMemory>(*server.state);
    return core::Reserve<core::PlainMemory>(
        *server.state, server.line, 1, [count](int64_t) { return count; }, [id_clock_us] { return id_clock_us; });
  }

  Server server;
  Source source;
  Keeper<core::PlainMemory> keeper;
  Wishes wishes;
};

// Crashes, clean stops, a failing disk and a clock that steps both ways: whatever a life reserves lies above all that
// the lives before it reserved.
TEST(StaticSource, SuccessiveLivesOfAServerShareNoPosition) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    uint64_t random = seed;
    const auto draw = [&random](int64_t below) {
      random = random * 6364136223846793005 + 1442695040888963407;
      return static_cast<int64_t>(random >> 33) % below;
    };
    MemoryDisk disk;
    core::Instant now{.boot_us = 1000000, .wall_us = kNowMs * core::kUsPerMs};
    Source(disk).file.CreateForNewServer(kCluster, 1);
    core::Position used = 0;
    int lives_with_ids = 0;
    for (int i = 0; i < 60; ++i) {
      Life life(disk, now);
      const core::Position before = used;
      const int64_t turns = 60 + draw(60);
      for (int64_t turn = 0; turn < turns; ++turn) {
        if (draw(8) == 0) disk.FailAt(static_cast<int>(1 + draw(6)), EIO);
        life.Turn(now);
        const core::Reservation got = life.Reserve(now, static_cast<uint64_t>(1 + draw(100000)));
        if (got.outcome == core::ReservationOutcome::kOk) {
          ASSERT_GE(got.start, used) << "seed " << seed << ", life " << i;
          used = got.start + got.count;
        }
        const int64_t gone_us = draw(1000000);
        now.boot_us += gone_us;
        now.wall_us += gone_us;
        if (draw(30) == 0) now.wall_us += draw(20 * core::kUsPerSecond) - 10 * core::kUsPerSecond;
      }
      lives_with_ids += used != before;
      if (draw(2) == 0) {
        life.wishes.stop = true;
        while (!life.keeper.stopped()) life.Turn(now);
      }
      disk.Crash(draw(2) == 0 ? MemoryDisk::Unsynced::kLost : MemoryDisk::Unsynced::kTorn, draw(2) == 0);
      const int64_t down_us = draw(20 * core::kUsPerSecond);
      now.boot_us += down_us;
      now.wall_us += down_us;
    }
    EXPECT_GT(lives_with_ids, 30) << "seed " << seed;
  }
}

}  // namespace
}  // namespace idgen::lease
