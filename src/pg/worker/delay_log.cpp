// Log lines about drift and waits: once per burst, and at most one of each kind per minute.
#include "pg/worker/delay_log.h"

#include "io/clock.h"
#include "pg/base/locks.h"
#include "pg/base/settings.h"

namespace idgen::pg {

void DelayLog::Check(const Shared& shared) {
  const int64 boot_us = io::BootUs();
  AcquireLock(&shared.lock, LW_SHARED);
  const Totals totals = TotalsOfAll(shared);
  LWLockRelease(&shared.lock);
  CheckDrift(shared, boot_us);
  CheckWaits(totals, boot_us);
}

void DelayLog::CheckDrift(const Shared& shared, int64 boot_us) {
  // On an idle server the next id lies in the current tick or the one after.
  int64 drift_us = 0;
  const auto lines = static_cast<uint32>(shared.server.line_count.load());
  for (uint32 line = 0; line < lines; ++line) {
    const int64 line_us = DriftUs(shared.server, line);
    if (line_us > (shared.server.lines[line].layout.unit_ms + 1) * core::kUsPerMs) drift_us = Max(drift_us, line_us);
  }
  if (drift_us == 0) {
    ahead_since_us_ = 0;
    drift_logged_ = false;
    return;
  }
  if (ahead_since_us_ == 0) ahead_since_us_ = boot_us;
  if (drift_logged_ || boot_us - ahead_since_us_ < core::kUsPerSecond || !drift_limit_.Allows(boot_us)) return;
  drift_logged_ = true;
  ereport(LOG,
          (errmsg("idgen: ids have been ahead of the id clock for more than 1 s"),
           errdetail("The next id is %lld ms ahead. Callers wait when it is more than \"idgen.max_ahead\" (%lld ms) "
                     "ahead.",
                     static_cast<long long>(drift_us / core::kUsPerMs),
                     static_cast<long long>(CurrentIdSettings().max_ahead_ms))));
}

void DelayLog::CheckWaits(const Totals& totals, int64 boot_us) {
  if (!has_logged_totals_) logged_totals_ = totals;  // a restarted worker does not repeat what the previous one logged
  has_logged_totals_ = true;
  // A sum over live backends can be lower than the previous one.
  if (totals.waits < logged_totals_.waits) logged_totals_ = totals;
  if (totals.waited_us <= logged_totals_.waited_us || !waits_limit_.Allows(boot_us)) return;
  const uint64 waits = totals.waits - logged_totals_.waits;
  const double seconds = static_cast<double>(totals.waited_us - logged_totals_.waited_us) / core::kUsPerSecond;
  ereport(LOG, (waits == 0
                    ? errmsg("idgen: callers are still waiting for ids, %.3f s in total since the last report", seconds)
                    : errmsg_plural("idgen: callers waited for ids %llu time, %.3f s in total",
                                    "idgen: callers waited for ids %llu times, %.3f s in total",
                                    static_cast<unsigned long>(waits), static_cast<unsigned long long>(waits), seconds),
                errhint("See idgen_stat_generators and idgen_status() for the cause.")));
  logged_totals_ = totals;
}

}  // namespace idgen::pg
