// Reading the machine's clocks.
#pragma once

#include <cstdint>
#include <ctime>

#include "core/time.h"

namespace idgen::io {

// Counts on while the machine sleeps. Without CLOCK_BOOTTIME it is the monotonic clock, which stops: a suspend then
// looks like a step forward of the wall clock, taken within half a second, or after 30 s if it is a large one.
#ifdef CLOCK_BOOTTIME
inline constexpr clockid_t kBootClock = CLOCK_BOOTTIME;
#else
inline constexpr clockid_t kBootClock = CLOCK_MONOTONIC;
#endif

// A few milliseconds behind at most, and four times cheaper to read.
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

// In nanoseconds, as the kernel has it: a division would cost half as much as the reading.
inline int64_t CoarseNs() noexcept {
  struct timespec time;
  clock_gettime(kCoarseClock, &time);
  return static_cast<int64_t>(time.tv_sec) * 1000 * core::kUsPerSecond + time.tv_nsec;
}

inline int64_t WallUs() noexcept { return ReadUs(CLOCK_REALTIME); }

// Both clocks at one instant. Reads them again if the process was interrupted in between, which would look like a step
// of the wall clock.
inline core::Instant ReadInstant() noexcept {
  constexpr int64_t kCloseEnoughUs = 200;
  core::Instant best;
  int64_t best_apart_us = -1;
  for (int tries = 0; tries < 8; ++tries) {
    const int64_t before_us = BootUs();
    const int64_t wall_us = WallUs();
    const int64_t apart_us = BootUs() - before_us;
    if (best_apart_us < 0 || apart_us < best_apart_us) {
      best = {.boot_us = before_us, .wall_us = wall_us};
      best_apart_us = apart_us;
    }
    if (best_apart_us <= kCloseEnoughUs) break;
  }
  return best;
}

// The boot-time clock at a third of the cost: read once per tick of the coarse clock, so up to a tick (usually 4 ms)
// behind, never ahead. For one process.
class TickClock {
 public:
  int64_t BootUs() noexcept {
    const int64_t tick_ns = CoarseNs();
    if (tick_ns != tick_ns_) {
      boot_us_ = io::BootUs();
      tick_ns_ = tick_ns;
    }
    return boot_us_;
  }
  void Forget() noexcept { tick_ns_ = -1; }

 private:
  int64_t tick_ns_ = -1;
  int64_t boot_us_ = 0;
};

}  // namespace idgen::io
