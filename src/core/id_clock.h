// The id clock: the boot-time clock plus an offset that follows the wall clock, but steps back only slowly when the
// wall clock is set back. The background worker keeps this state and publishes the offset; backends only add it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/time.h"

namespace idgen::core {

// A step forward larger than max_clock_step is accepted after it has persisted this long.
inline constexpr int64_t kPersistUs = 30 * kUsPerSecond;

// An id clock that is ahead of the wall clock falls back by the elapsed time divided by this. More than a minute ahead,
// where a successor that knows nothing of it might start below it, it falls back faster.
inline constexpr int64_t kSlewDivisor = 10;
inline constexpr int64_t kFastSlewDivisor = 2;
inline constexpr int64_t kFastSlewAboveUs = 60 * kUsPerSecond;

constexpr int64_t SlewDivisor(int64_t ahead_us) noexcept {
  return ahead_us > kFastSlewAboveUs ? kFastSlewDivisor : kSlewDivisor;
}

struct ClockRules {
  int64_t max_ahead_ms = 0;
  int64_t max_clock_step_ms = 0;
};

// How far the wall clock may wander and still count as persisting: a clock that its daemon slews is steady enough.
constexpr int64_t PersistSlackUs(int64_t max_clock_step_ms) noexcept {
  return std::max(max_clock_step_ms * kUsPerMs, kUsPerSecond);
}

// True once a claim about the wall clock has held for kPersistUs without wandering by more than `slack_us`.
class Persistence {
 public:
  // `offset_us`: wall clock less boot-time clock, as claimed at `boot_us`.
  bool Holds(int64_t offset_us, int64_t boot_us, int64_t slack_us) noexcept {
    if (!pending_ || offset_us - claimed_us_ > slack_us || claimed_us_ - offset_us > slack_us) {
      pending_ = true;
      claimed_us_ = offset_us;
      since_boot_us_ = boot_us;
    }
    return boot_us - since_boot_us_ >= kPersistUs;
  }
  void Forget() noexcept { pending_ = false; }
  bool pending() const noexcept { return pending_; }
  int64_t since_boot_us() const noexcept { return since_boot_us_; }

 private:
  bool pending_ = false;
  int64_t claimed_us_ = 0;
  int64_t since_boot_us_ = 0;
};

class IdClock {
 public:
  // What the wall clock did since the last call of Follow.
  struct Seen {
    int64_t back_us = 0;     // the size of a step back
    int64_t forward_us = 0;  // the size of a step forward
    bool held = false;       // the step forward is too large to follow at once
    bool taken = false;      // such a step has persisted and was followed
  };

  void StartAtWall(const Instant& now) noexcept {
    offset_us_ = WallOffset(now);
    Restart(now);
  }
  // Continues with the offset that an earlier worker process published.
  void Resume(int64_t offset_us, const Instant& now) noexcept {
    offset_us_ = offset_us;
    Restart(now);
  }
  void RaiseTo(int64_t unix_us, const Instant& now) noexcept {
    offset_us_ = std::max(offset_us_, unix_us - now.boot_us);
  }

  // Down to `unix_us` or to the wall clock, whichever is later, at once: for an id clock that no id was issued from.
  void LowerTo(int64_t unix_us, const Instant& now) noexcept {
    offset_us_ = std::min(offset_us_, std::max(unix_us - now.boot_us, WallOffset(now)));
  }

  Seen Follow(const Instant& now, const ClockRules& rules) noexcept {
    Seen seen;
    const int64_t want_us = WallOffset(now);
    const int64_t moved_us = want_us - last_wall_offset_us_;
    if (moved_us < -kNoiseUs) seen.back_us = -moved_us;
    if (moved_us > kNoiseUs) seen.forward_us = moved_us;
    const int64_t elapsed_us = std::max<int64_t>(now.boot_us - last_boot_us_, 0);
    last_wall_offset_us_ = want_us;
    last_boot_us_ = now.boot_us;

    const int64_t behind_us = want_us - offset_us_;
    const int64_t step_us = rules.max_clock_step_ms * kUsPerMs;
    if (behind_us > step_us) {
      seen.held = !step_.pending();
      if (!step_.Holds(want_us, now.boot_us, PersistSlackUs(rules.max_clock_step_ms))) return seen;
      seen.taken = true;
      seen.held = false;
    }
    step_.Forget();
    // Ahead of the wall clock it is slewed, and falls by at most max_ahead / 2 per call.
    const int64_t max_fall_us = std::min(elapsed_us / SlewDivisor(-behind_us), rules.max_ahead_ms * kUsPerMs / 2);
    offset_us_ += std::max(behind_us, -max_fall_us);
    return seen;
  }

  int64_t offset_us() const noexcept { return offset_us_; }
  int64_t NowUs(const Instant& now) const noexcept { return now.boot_us + offset_us_; }
  // Negative while a step forward is held.
  int64_t AheadOfWallUs(const Instant& now) const noexcept { return offset_us_ - WallOffset(now); }
  bool holds_a_step() const noexcept { return step_.pending(); }

 private:
  // The two clocks are not read at the same instant; a smaller difference is not a step.
  static constexpr int64_t kNoiseUs = 2 * kUsPerMs;

  static constexpr int64_t WallOffset(const Instant& now) noexcept { return now.wall_us - now.boot_us; }
  void Restart(const Instant& now) noexcept {
    last_wall_offset_us_ = WallOffset(now);
    last_boot_us_ = now.boot_us;
    step_.Forget();
  }

  int64_t offset_us_ = 0;
  int64_t last_wall_offset_us_ = 0;
  int64_t last_boot_us_ = 0;
  Persistence step_;
};

}  // namespace idgen::core
