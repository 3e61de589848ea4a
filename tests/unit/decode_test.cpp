// Ids taken apart: our own and those of systems whose layouts are published.
#include "core/decode.h"

#include <gtest/gtest.h>

#include "core/position.h"
#include "support.h"

namespace idgen::core {
namespace {

TEST(Decode, TakesApartWhatComposePutTogether) {
  for (const Layout& layout : {kDefaultLayout, kTenMs, kOneSecond}) {
    const Position position = PositionAt(layout, kNowMs) + 200;
    const Decoded decoded = Decode(layout, static_cast<uint64_t>(Compose(layout, position, 1000)));
    EXPECT_EQ(decoded.unix_ms, kNowMs);
    EXPECT_EQ(decoded.worker, 1000u);
    EXPECT_EQ(decoded.sequence, 200u);
    EXPECT_EQ(decoded.region, 0u);
    EXPECT_EQ(decoded.app, 0u);
  }
}

TEST(Decode, GivesTheEndsOfTheDefaultLayout) {
  const Decoded first = Decode(kDefaultLayout, 0);
  EXPECT_EQ(first.unix_ms, 1704067200000);
  EXPECT_EQ(first.worker, 0u);
  EXPECT_EQ(first.sequence, 0u);
  const Decoded last = Decode(kDefaultLayout, INT64_MAX);
  EXPECT_EQ(last.unix_ms, 1704067200000 + (int64_t{1} << 41) - 1);
  EXPECT_EQ(last.worker, 1023u);
  EXPECT_EQ(last.sequence, 4095u);
}

// Discord: 42 bits of time, 5 of worker, 5 of process, 12 of increment. The example of its documentation.
TEST(Decode, ReadsDiscordsSnowflake) {
  const Layout discord = {.epoch_ms = 1420070400000,
                          .unit_ms = 1,
                          .time = {.shift = 22, .width = 42},
                          .region = {},
                          .app = {.shift = 12, .width = 5},
                          .worker = {.shift = 17, .width = 5},
                          .sequence = {.shift = 0, .width = 12}};
  const Decoded decoded = Decode(discord, 175928847299117063);
  EXPECT_EQ(decoded.unix_ms, 1462015105796);
  EXPECT_EQ(decoded.worker, 1u);
  EXPECT_EQ(decoded.app, 0u);
  EXPECT_EQ(decoded.sequence, 7u);
}

// Instagram: 41 bits of time, 13 of shard, 10 of sequence, in a signed 64-bit number.
TEST(Decode, ReadsInstagramsId) {
  const Layout instagram = {.epoch_ms = 1314220021721,
                            .unit_ms = 1,
                            .time = {.shift = 23, .width = 41},
                            .region = {},
                            .app = {},
                            .worker = {.shift = 10, .width = 13},
                            .sequence = {.shift = 0, .width = 10}};
  const Decoded decoded = Decode(instagram, 612728911936419721);
  EXPECT_EQ(decoded.unix_ms, 1387263000000);
  EXPECT_EQ(decoded.worker, 1341u);
  EXPECT_EQ(decoded.sequence, 905u);
}

// Sonyflake: 39 bits of 10 ms, then the sequence, then the machine.
TEST(Decode, ReadsSonyflakesId) {
  Layout sonyflake = kTenMs;
  sonyflake.sequence.shift = 16;
  sonyflake.worker.shift = 0;
  const Decoded decoded = Decode(sonyflake, 609132340719452159);
  EXPECT_EQ(decoded.unix_ms, 1772600767890);
  EXPECT_EQ(decoded.sequence, 200u);
  EXPECT_EQ(decoded.worker, 65535u);
}

// goflakeid uses all 64 bits: as a bigint this one is -1.
TEST(Decode, ReadsAnIdWithItsTopBitSet) {
  const Layout goflake = {.epoch_ms = 1577836800000,
                          .unit_ms = 1,
                          .time = {.shift = 22, .width = 42},
                          .region = {.shift = 18, .width = 4},
                          .app = {.shift = 15, .width = 3},
                          .worker = {.shift = 10, .width = 5},
                          .sequence = {.shift = 0, .width = 10}};
  const Decoded decoded = Decode(goflake, static_cast<uint64_t>(int64_t{-1}));
  EXPECT_EQ(decoded.unix_ms, 5975883311103);
  EXPECT_EQ(decoded.region, 15u);
  EXPECT_EQ(decoded.app, 7u);
  EXPECT_EQ(decoded.worker, 31u);
  EXPECT_EQ(decoded.sequence, 1023u);
}

TEST(Decode, TimestampIsTheStartOfTheTick) {
  const uint64_t id = static_cast<uint64_t>(Compose(kTenMs, PositionAt(kTenMs, kNowMs + 9), 3));
  EXPECT_EQ(TimestampMs(kTenMs, id), kNowMs);
}

}  // namespace
}  // namespace idgen::core
