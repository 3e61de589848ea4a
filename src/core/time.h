// Units of time, and a reading of the two clocks. Nothing in core reads a clock: callers pass the time.
#pragma once

#include <cstdint>

namespace idgen::core {

inline constexpr int64_t kUsPerMs = 1000;
inline constexpr int64_t kUsPerSecond = 1000 * kUsPerMs;
inline constexpr int64_t kMsPerSecond = 1000;
inline constexpr int64_t kMsPerMinute = 60 * kMsPerSecond;
inline constexpr int64_t kMsPerDay = 24 * 60 * kMsPerMinute;

// The boot-time clock (never steps, continues during suspend) and the wall clock (Unix time), read together.
struct Instant {
  int64_t boot_us = 0;
  int64_t wall_us = 0;
};

// Rounds towards minus infinity: -1 us is in the millisecond before zero.
constexpr int64_t FloorDiv(int64_t value, int64_t by) noexcept {
  const int64_t quotient = value / by;
  return value % by < 0 ? quotient - 1 : quotient;
}

constexpr int64_t MsOf(int64_t us) noexcept { return FloorDiv(us, kUsPerMs); }

}  // namespace idgen::core
