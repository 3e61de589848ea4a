// Decides whether a server may issue ids from a floor now. This rule affects how soon ids are issued, not whether they
// are unique.
#pragma once

#include <cstdint>

#include "core/id_clock.h"
#include "core/time.h"
#include "lease/identity_source.h"

namespace idgen::lease {

inline constexpr int64_t kRunFromLeadMs = core::kMsPerMinute;  // a known floor at most this far ahead is used at once
inline constexpr int64_t kRefuseLeadMs = core::kMsPerDay;      // a floor further ahead needs a decision of the operator
inline constexpr int64_t kPlausibleDowntimeMs =
    30 * core::kMsPerDay;  // a wall clock further past the floor must persist

enum class Verdict : uint8_t {
  kRun,
  kFloorAhead,     // wait, for at most max_ahead + window
  kFloorFarAhead,  // refused
  kClockFarAhead,  // wait until the wall clock has persisted
};

struct StartRule {
  int64_t max_ahead_ms = 0;
  int64_t window_ms = 0;
  int64_t max_clock_step_ms = 0;

  // The lead of an uncertain start: the id clock of the previous user was ahead by at most a minute, and its ceiling by
  // max_ahead + window more.
  constexpr int64_t UncertainLeadMs() const noexcept { return kRunFromLeadMs + max_ahead_ms + window_ms; }

  constexpr int64_t FloorOf(Past past, int64_t recorded_ms, int64_t wall_ms) const noexcept {
    if (past == Past::kKnown) return recorded_ms;
    if (past == Past::kNew) return wall_ms;
    return std::max(recorded_ms, wall_ms + UncertainLeadMs());
  }

  // How far ahead a floor may be and still be used at once. An uncertain start does not wait for its own lead. No start
  // leads by more than UncertainLeadMs: a known floor is at most max_ahead + window above the previous start's lead,
  // and the server waits that long for it.
  constexpr int64_t RunFromLeadMs(Past past) const noexcept {
    return past == Past::kKnown || past == Past::kNew ? kRunFromLeadMs : UncertainLeadMs();
  }

  // `waited_us`: since the floor became known. `wall` keeps track of how long the wall clock has persisted.
  Verdict Check(Past past, int64_t floor_ms, int64_t waited_us, const core::Instant& now,
                core::Persistence& wall) const noexcept {
    const int64_t lead_ms = floor_ms - core::MsOf(now.wall_us);
    if (floor_ms > 0 && -lead_ms > kPlausibleDowntimeMs)
      return wall.Holds(now.wall_us - now.boot_us, now.boot_us, core::PersistSlackUs(max_clock_step_ms))
                 ? Verdict::kRun
                 : Verdict::kClockFarAhead;
    wall.Forget();
    if (lead_ms > kRefuseLeadMs) return Verdict::kFloorFarAhead;
    if (lead_ms > RunFromLeadMs(past) && waited_us < (max_ahead_ms + window_ms) * core::kUsPerMs)
      return Verdict::kFloorAhead;
    return Verdict::kRun;
  }
};

}  // namespace idgen::lease
