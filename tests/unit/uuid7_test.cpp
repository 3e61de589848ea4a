// UUIDs of version 7: bits, order, versions.
#include "core/uuid7.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace idgen::core {
namespace {

Uuid Parse(const std::string& text) {
  Uuid uuid{};
  int nibbles = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    uint8_t& byte = uuid.bytes[nibbles++ / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
  }
  return uuid;
}

bool Less(const Uuid& a, const Uuid& b) { return std::memcmp(a.bytes, b.bytes, sizeof a.bytes) < 0; }

// The line and random tails that try to spoil the order.
struct Maker {
  Uuid Make(int64_t ms, uint16_t counter = 0) {
    tail = ~tail;
    return ComposeUuid7(NextUuidPosition<PlainMemory>(next, ms, counter), tail);
  }
  Word next{0};
  uint64_t tail = 0;
};

// RFC 9562, appendix A.6: 2022-02-22 19:22:22.00 UTC.
TEST(Uuid7, DecodesTheRfcsExample) {
  const Uuid uuid = Parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(UuidVersion(uuid), 7);
  const DecodedUuid7 decoded = DecodeUuid7(uuid);
  EXPECT_EQ(decoded.unix_ms, 1645557742000);
  EXPECT_EQ(decoded.rand_a, 0xCC3u);
  EXPECT_EQ(decoded.rand_b, 0x18C4DC0C0C07398Fu);
}

// rand_a is the counter's upper 12 bits; its lower 4 are the uppermost of rand_b.
TEST(Uuid7, ComposesTheRfcsExample) {
  const uint64_t rand_b = 0x18C4DC0C0C07398F;
  const uint64_t position = uint64_t{1645557742000} << 16 | 0xCC3 << 4 | rand_b >> 58;
  const Uuid expected = Parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(std::memcmp(ComposeUuid7(position, rand_b).bytes, expected.bytes, 16), 0);
}

TEST(Uuid7, DecodesWhatItComposed) {
  for (const uint64_t ms : {uint64_t{0}, uint64_t{kNowMs}, static_cast<uint64_t>(kMaxUuidMs)}) {
    for (const uint64_t counter : {0x0000u, 0x000Fu, 0x7FF0u, 0xABCDu, 0xFFFFu}) {
      for (const uint64_t tail : {uint64_t{0}, uint64_t{0x0123456789ABCDE}, ~uint64_t{0}}) {
        const Uuid uuid = ComposeUuid7(ms << 16 | counter, tail);
        EXPECT_EQ(UuidVersion(uuid), 7);
        const DecodedUuid7 decoded = DecodeUuid7(uuid);
        EXPECT_EQ(decoded.unix_ms, static_cast<int64_t>(ms));
        EXPECT_EQ(decoded.rand_a, counter >> 4);
        EXPECT_EQ(decoded.rand_b, (counter & 0xF) << 58 | (tail & 0x3FFFFFFFFFFFFFF));
      }
    }
  }
}

TEST(Uuid7, VersionIsReadOnlyUnderTheRfcsVariant) {
  EXPECT_EQ(UuidVersion(Parse("c232ab00-9414-11ec-b3c8-9f6bdeced846")), 1);
  EXPECT_EQ(UuidVersion(Parse("919108f7-52d1-4320-9bac-f847db4148a8")), 4);
  EXPECT_EQ(UuidVersion(Parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")), 7);
  EXPECT_EQ(UuidVersion(Parse("00000000-0000-0000-0000-000000000000")), -1);
  EXPECT_EQ(UuidVersion(Parse("ffffffff-ffff-ffff-ffff-ffffffffffff")), -1);
  EXPECT_EQ(UuidVersion(Parse("017f22e2-79b0-7cc3-18c4-dc0c0c07398f")), -1);
  EXPECT_EQ(UuidVersion(Parse("017f22e2-79b0-7cc3-d8c4-dc0c0c07398f")), -1);
}

TEST(Uuid7, CarriesTheMillisecondAndStartsTheCounterInItsLowerHalf) {
  Maker maker;
  const DecodedUuid7 decoded = DecodeUuid7(maker.Make(kNowMs, 0xFFFF));
  EXPECT_EQ(decoded.unix_ms, kNowMs);
  EXPECT_EQ(decoded.rand_a, 0x7FFu);
}

TEST(Uuid7, GrowsByteForByteWithinAMillisecond) {
  Maker maker;
  Uuid last = maker.Make(kNowMs, 5);
  for (int i = 0; i < 1000; ++i) {
    const Uuid uuid = maker.Make(kNowMs, static_cast<uint16_t>(i * 31 % 7));
    ASSERT_TRUE(Less(last, uuid));
    last = uuid;
  }
}

TEST(Uuid7, GrowsWhenTheClockIsSetBack) {
  Maker maker;
  const Uuid before = maker.Make(kNowMs);
  const Uuid after = maker.Make(kNowMs - 3600000);
  EXPECT_TRUE(Less(before, after));
  EXPECT_EQ(DecodeUuid7(after).unix_ms, kNowMs);
}

TEST(Uuid7, RunsAheadOfTheClockWhenAMillisecondIsFull) {
  Maker maker;
  Uuid last = maker.Make(kNowMs);
  for (int i = 1; i < 0x10000 + 10; ++i) {
    const Uuid uuid = maker.Make(kNowMs);
    ASSERT_TRUE(Less(last, uuid));
    ASSERT_EQ(UuidVersion(uuid), 7);
    last = uuid;
  }
  EXPECT_EQ(DecodeUuid7(last).unix_ms, kNowMs + 1);
}

TEST(Uuid7, ReturnsToTheClockWhenItCatchesUp) {
  Maker maker;
  maker.Make(kNowMs + 5);
  EXPECT_EQ(DecodeUuid7(maker.Make(kNowMs)).unix_ms, kNowMs + 5);
  EXPECT_EQ(DecodeUuid7(maker.Make(kNowMs + 6)).unix_ms, kNowMs + 6);
}

TEST(Uuid7, AClockOutOfRangeIsClampedIntoIt) {
  Maker maker;
  EXPECT_EQ(DecodeUuid7(maker.Make(-1)).unix_ms, 0);
  EXPECT_EQ(DecodeUuid7(maker.Make(INT64_MAX)).unix_ms, kMaxUuidMs);
}

constexpr int64_t kLastUs = kMaxUuidMs * kUsPerMs;

// Both laws, for UUIDs of version 7 whose random bits are the least, the largest and some between.
void ExpectBoundsHold(int64_t t_us, int64_t uuid_ms) {
  for (const uint64_t counter : {0x0000u, 0x8000u, 0xFFFFu}) {
    for (const uint64_t tail : {uint64_t{0}, uint64_t{1} << 57, ~uint64_t{0}}) {
      const Uuid uuid = ComposeUuid7(static_cast<uint64_t>(uuid_ms) << 16 | counter, tail);
      EXPECT_EQ(!Less(uuid, Uuid7Min(t_us)), uuid_ms * kUsPerMs >= t_us) << t_us << " us, " << uuid_ms << " ms";
      EXPECT_EQ(!Less(Uuid7Max(t_us), uuid), uuid_ms * kUsPerMs <= t_us) << t_us << " us, " << uuid_ms << " ms";
    }
  }
}

TEST(Uuid7, BoundsSplitUuidsAtTheirTime) {
  for (const int64_t ms : {int64_t{0}, int64_t{1}, kNowMs, kMaxUuidMs - 1, kMaxUuidMs}) {
    for (const int64_t off_us : {-1001, -1000, -999, -1, 0, 1, 999, 1000, 1001}) {
      for (const int64_t other : {ms - 2, ms - 1, ms, ms + 1, ms + 2}) {
        if (other >= 0 && other <= kMaxUuidMs) ExpectBoundsHold(ms * kUsPerMs + off_us, other);
      }
    }
  }
}

TEST(Uuid7, BoundsHoldForTimesThatNoUuidHas) {
  for (const int64_t t_us : {INT64_MIN, INT64_MIN + 1, int64_t{-1000}, int64_t{-999}, int64_t{-1}, kLastUs + 1,
                             kLastUs + 999, kLastUs + 1000, INT64_MAX - 1, INT64_MAX}) {
    for (const int64_t ms : {int64_t{0}, int64_t{1}, kNowMs, kMaxUuidMs - 1, kMaxUuidMs}) ExpectBoundsHold(t_us, ms);
  }
}

TEST(Uuid7, BoundsAreOfVersionSevenOrNilOrMax) {
  const auto is = [](const Uuid& uuid, const char* text) {
    return std::memcmp(uuid.bytes, Parse(text).bytes, sizeof uuid.bytes) == 0;
  };
  EXPECT_TRUE(is(Uuid7Min(1645557742000000), "017f22e2-79b0-7000-8000-000000000000"));
  EXPECT_TRUE(is(Uuid7Max(1645557742000000), "017f22e2-79b0-7fff-bfff-ffffffffffff"));
  EXPECT_TRUE(is(Uuid7Min(1645557742000001), "017f22e2-79b1-7000-8000-000000000000"));
  EXPECT_TRUE(is(Uuid7Max(1645557742000999), "017f22e2-79b0-7fff-bfff-ffffffffffff"));
  EXPECT_TRUE(is(Uuid7Min(INT64_MIN), "00000000-0000-7000-8000-000000000000"));
  EXPECT_TRUE(is(Uuid7Min(-1), "00000000-0000-7000-8000-000000000000"));
  EXPECT_TRUE(is(Uuid7Max(-1), "00000000-0000-0000-0000-000000000000"));
  EXPECT_TRUE(is(Uuid7Max(INT64_MIN), "00000000-0000-0000-0000-000000000000"));
  EXPECT_TRUE(is(Uuid7Min(kLastUs), "ffffffff-ffff-7000-8000-000000000000"));
  EXPECT_TRUE(is(Uuid7Min(kLastUs + 1), "ffffffff-ffff-ffff-ffff-ffffffffffff"));
  EXPECT_TRUE(is(Uuid7Min(INT64_MAX), "ffffffff-ffff-ffff-ffff-ffffffffffff"));
  EXPECT_TRUE(is(Uuid7Max(kLastUs + 1), "ffffffff-ffff-7fff-bfff-ffffffffffff"));
  EXPECT_TRUE(is(Uuid7Max(INT64_MAX), "ffffffff-ffff-7fff-bfff-ffffffffffff"));
}

TEST(Uuid7, ManyThreadsTakeEveryPositionOnce) {
  constexpr int kThreads = 4;
  constexpr size_t kEach = 5000;
  Word next{0};
  std::array<std::vector<uint64_t>, kThreads> taken;
  std::vector<std::thread> threads;
  for (std::vector<uint64_t>& own : taken) {
    threads.emplace_back([&next, &own] {
      while (own.size() < kEach)
        own.push_back(NextUuidPosition<PlainMemory>(next, kNowMs + static_cast<int64_t>(own.size() / 100), 0));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<uint64_t> all;
  for (const std::vector<uint64_t>& own : taken) {
    EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
    all.insert(all.end(), own.begin(), own.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace idgen::core
