// UUIDs of version 7: RFC 9562, section 5.7, ordered by section 6.2 method 1, a counter after the milliseconds.
//
//   48 bits Unix ms | 4 bits version 7 | 12 bits counter, high | 2 bits variant | 4 bits counter, low | 58 bits random
//
// Randomness alone makes a UUID unique; the line only orders them. So the line never waits: it runs ahead of the clock
// when the clock is set back, or when there are more than 32,768 UUIDs in a millisecond.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "core/memory.h"
#include "core/time.h"

namespace idgen::core {

inline constexpr unsigned kUuidCounterBits = 16;
inline constexpr unsigned kUuidMsBits = 48;
inline constexpr int64_t kMaxUuidMs = (int64_t{1} << kUuidMsBits) - 1;

struct Uuid {
  uint8_t bytes[16];
};

// The random bits of one UUID.
struct UuidEntropy {
  uint64_t tail;  // 58 bits are used
  uint16_t
      counter;  // 15 bits are used: the counter's value at the start of a millisecond, in the lower half of its range
};

// Named as in RFC 9562. Each generator uses the bits of rand_a and rand_b as it likes.
struct DecodedUuid7 {
  int64_t unix_ms = 0;
  uint32_t rand_a = 0;  // 12 bits
  uint64_t rand_b = 0;  // 62 bits
};

// The next position of the line `next`: Unix ms << 16 | counter, above all earlier ones.
template <class Memory>
uint64_t NextUuidPosition(Word& next, int64_t unix_ms, uint16_t counter_seed) noexcept {
  const uint64_t ms = static_cast<uint64_t>(std::clamp<int64_t>(unix_ms, 0, kMaxUuidMs));
  const uint64_t now = ms << kUuidCounterBits | (counter_seed & 0x7FFF);
  uint64_t expected = Memory::Load(next, Step::kLoadNext);
  for (;;) {
    const uint64_t position = std::max(expected, now);
    if (Memory::Swap(next, expected, position + 1, Step::kSwapNext)) return position;
  }
}

// Converts an integer to network byte order, and back.
constexpr uint64_t BigEndian(uint64_t value) noexcept {
  return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}

// High and low half, most significant byte first, as in RFC 9562.
constexpr Uuid UuidOfHalves(uint64_t high, uint64_t low) noexcept {
  return std::bit_cast<Uuid>(std::array<uint64_t, 2>{BigEndian(high), BigEndian(low)});
}
constexpr uint64_t HighHalf(const Uuid& uuid) noexcept {
  return BigEndian(std::bit_cast<std::array<uint64_t, 2>>(uuid)[0]);
}
constexpr uint64_t LowHalf(const Uuid& uuid) noexcept {
  return BigEndian(std::bit_cast<std::array<uint64_t, 2>>(uuid)[1]);
}

constexpr Uuid ComposeUuid7(uint64_t position, uint64_t tail) noexcept {
  const uint64_t counter = position & 0xFFFF;
  return UuidOfHalves((position & ~uint64_t{0xFFFF}) | uint64_t{7} << 12 | counter >> 4,
                      uint64_t{2} << 62 | (counter & 0xF) << 58 | (tail & ((uint64_t{1} << 58) - 1)));
}

// The version field, or -1 if the variant is not RFC 9562's, which leaves the version undefined.
constexpr int UuidVersion(const Uuid& uuid) noexcept { return uuid.bytes[8] >> 6 == 2 ? uuid.bytes[6] >> 4 : -1; }

// Bounds of a time range in UUIDs of version 7 from any generator. For each such UUID u and each time t:
//   u >= Uuid7Min(t)  if and only if  u's time >= t
//   u <= Uuid7Max(t)  if and only if  u's time <= t
// In Unix microseconds: the times of UUIDs are whole milliseconds, so Uuid7Min rounds up and Uuid7Max down. If no UUID
// qualifies, the result is the max or the nil UUID, which are not of version 7.
constexpr Uuid Uuid7Min(int64_t unix_us) noexcept {
  const int64_t ms = MsOf(unix_us) + (unix_us % kUsPerMs != 0 ? 1 : 0);
  if (ms > kMaxUuidMs) return UuidOfHalves(UINT64_MAX, UINT64_MAX);
  return ComposeUuid7(static_cast<uint64_t>(std::max<int64_t>(ms, 0)) << kUuidCounterBits, 0);
}
constexpr Uuid Uuid7Max(int64_t unix_us) noexcept {
  const int64_t ms = MsOf(unix_us);
  if (ms < 0) return UuidOfHalves(0, 0);
  return ComposeUuid7(static_cast<uint64_t>(std::min(ms, kMaxUuidMs)) << kUuidCounterBits | 0xFFFF, UINT64_MAX);
}

// The UUID must be of version 7.
constexpr DecodedUuid7 DecodeUuid7(const Uuid& uuid) noexcept {
  const uint64_t high = HighHalf(uuid);
  return {.unix_ms = static_cast<int64_t>(high >> 16),
          .rand_a = static_cast<uint32_t>(high & 0xFFF),
          .rand_b = LowHalf(uuid) & ((uint64_t{1} << 62) - 1)};
}

}  // namespace idgen::core
