// The machine's clocks, read.
#pragma once

#include <cstdint>
#include <ctime>

#include "core/time.h"

namespace idgen::io {

// Counts on while the machine sleeps. Without CLOCK_BOOTTIME it is the monotonic clock, which stops: after a suspend
// the id clock is then behind the wall clock until the worker has followed it (at most half a second).
#ifdef CLOCK_BOOTTIME
inline constexpr clockid_t kBootClock = CLOCK_BOOTTIME;
#else
inline constexpr clockid_t kBootClock = CLOCK_MONOTONIC;
#endif

// Some milliseconds behind at the most, and four times cheaper to read.
#ifdef CLOCK_MONOTONIC_COARSE
inline constexpr clockid_t kCoarseClock = CLOCK_MONOTONIC_COARSE;
#else
inline constexpr clockid_t kCoarseClock = CLOCK_MONOTONIC;
#endif

inline int64_t ReadUs(clockid_t clock) noexcept {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<int64_t>(time.tv_sec) * core::kUsPerSecond + time.tv_nsec / 1000;
}

inline int64_t BootUs() noexcept { return ReadUs(kBootClock); }
inline int64_t CoarseUs() noexcept { return ReadUs(kCoarseClock); }
inline int64_t WallUs() noexcept { return ReadUs(CLOCK_REALTIME); }
inline core::Instant ReadInstant() noexcept { return {.boot_us = BootUs(), .wall_us = WallUs()}; }

// The boot-time clock at a third of the price: read once per tick of the coarse clock, so up to a tick (4 ms, as a
// rule) behind, never ahead. Of one process.
class TickClock {
 public:
  int64_t BootUs() noexcept {
    const int64_t tick_us = CoarseUs();
    if (tick_us != tick_us_) {
      boot_us_ = io::BootUs();
      tick_us_ = tick_us;
    }
    return boot_us_;
  }
  void Forget() noexcept { tick_us_ = -1; }

 private:
  int64_t tick_us_ = -1;
  int64_t boot_us_ = 0;
};

}  // namespace idgen::io
