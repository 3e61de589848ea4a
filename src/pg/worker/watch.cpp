// Log lines for ids that run ahead, for waits, and for clock steps.
#include "pg/worker/watch.h"

#include "io/clock.h"
#include "pg/base/settings.h"

#include <utility>

namespace idgen::pg {

void Watch::Look(const Shared& shared) {
  const int64 boot_us = io::BootUs();
  LWLockAcquire(shared.lock, LW_SHARED);
  const Totals totals = TotalsOfAll(shared);
  LWLockRelease(shared.lock);
  LookAtLease(shared, boot_us);
  LookAtDrift(shared, boot_us);
  LookAtWaits(totals, boot_us);
}

bool Watch::MayLogLoss(int64 boot_us) noexcept {
  if (loss_limit_.Allows(boot_us)) {
    losses_passed_over_ = 0;
    return true;
  }
  ++losses_passed_over_;
  lost_at_us_ = boot_us;
  return false;
}

// After losses that were not logged, a lease that lasts.
void Watch::LookAtLease(const Shared& shared, int64 boot_us) {
  const core::Identity identity(shared.server.identity.load());
  if (losses_passed_over_ == 0 || !identity || boot_us - lost_at_us_ < 10 * core::kUsPerSecond) return;
  ereport(LOG, (errmsg("idgen issues ids with worker id %u", identity.worker()),
                errdetail("Leases that were lost before and not logged: %llu.",
                          static_cast<unsigned long long>(losses_passed_over_))));
  losses_passed_over_ = 0;
}

bool Watch::MayLogStep(lease::Event::Kind kind) noexcept {
  using Kind = lease::Event::Kind;
  const int which = kind == Kind::kClockBack       ? 0
                    : kind == Kind::kClockForward  ? 1
                    : kind == Kind::kClockStepHeld ? 2
                                                   : 3;
  return step_limits_[which].Allows(io::BootUs());
}

bool Watch::MayTellRival(bool is_seen) noexcept {
  constexpr int64 kAgainUs = 10 * 60 * core::kUsPerSecond;
  const int64 boot_us = io::BootUs();
  if (!is_seen) return std::exchange(rival_told_us_, 0) != 0;
  if (rival_told_us_ != 0 && boot_us - rival_told_us_ < kAgainUs) return false;
  rival_told_us_ = boot_us;
  return true;
}

bool Watch::PresenceChanged(bool fails) noexcept { return std::exchange(presence_fails_, fails) != fails; }

void Watch::LookAtDrift(const Shared& shared, int64 boot_us) {
  // The next id of a server at rest lies in the tick that is going on, or the one after.
  int64 drift_us = 0;
  const auto lines = static_cast<uint32>(shared.server.line_count.load());
  for (uint32 line = 0; line < lines; ++line) {
    const int64 line_us = DriftUs(shared.server, line);
    if (line_us > (shared.server.lines[line].layout.unit_ms + 1) * core::kUsPerMs) drift_us = Max(drift_us, line_us);
  }
  if (drift_us == 0) {
    ahead_since_us_ = 0;
    drift_told_ = false;
    return;
  }
  if (ahead_since_us_ == 0) ahead_since_us_ = boot_us;
  if (drift_told_ || boot_us - ahead_since_us_ < core::kUsPerSecond || !drift_limit_.Allows(boot_us)) return;
  drift_told_ = true;
  ereport(LOG, (errmsg("idgen: ids have been ahead of the id clock for more than a second"),
                errdetail("The next id is %lld ms ahead. Callers wait at \"idgen.max_ahead\", %lld ms.",
                          static_cast<long long>(drift_us / core::kUsPerMs),
                          static_cast<long long>(CurrentSettings().max_ahead_ms))));
}

void Watch::LookAtWaits(const Totals& totals, int64 boot_us) {
  if (!began_) told_ = totals;  // a worker that was started again does not repeat what the last one told
  began_ = true;
  if (totals.waits < told_.waits) told_ = totals;  // a live backend's counters were read in the middle of a change
  if (totals.waited_us <= told_.waited_us || !waits_limit_.Allows(boot_us)) return;
  const uint64 waits = totals.waits - told_.waits;
  const double seconds = static_cast<double>(totals.waited_us - told_.waited_us) / core::kUsPerSecond;
  ereport(LOG,
          (waits == 0
               ? errmsg("idgen: callers are still waiting for ids, %.3f s in total since the last such line", seconds)
               : errmsg_plural("idgen: callers waited for ids %llu time, %.3f s in total",
                               "idgen: callers waited for ids %llu times, %.3f s in total",
                               static_cast<unsigned long>(waits), static_cast<unsigned long long>(waits), seconds),
           errhint("idgen_stat_generators and idgen_status() show why.")));
  told_ = totals;
}

}  // namespace idgen::pg
