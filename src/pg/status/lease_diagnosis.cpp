// Words for the state of a lease.
#include "pg/status/diagnosis.h"

#include "io/clock.h"
#include "pg/lease/settings.h"

namespace idgen::pg {
namespace {

using lease::Phase;
using Why = lease::StoreReply::Why;

double Seconds(int64 us) { return static_cast<double>(us) / core::kUsPerSecond; }

// A time that the store told by its clock, by the clock of this server.
const char* HereText(const WorkerStatus& status, int64 store_ms) {
  return TimeText(store_ms + status.lease.store_lags_us / core::kUsPerMs);
}

Diagnosis OfBusy(const WorkerStatus& status) {
  const char* until = HereText(status, status.lease.busy_until_ms);
  switch (status.lease.busy) {
    case Why::kQuarantine:
      return {
          "waiting",
          psprintf("The store is new, or was restarted, failed over or emptied, and may have forgotten leases: no "
                   "worker id is leased before %s, one \"idgen.lease_ttl\" after that was noticed.",
                   until),
          "It ends by itself. For a prefix that no server has ever used idgen_declare_new_prefix() ends it at once."};
    case Why::kCrashes:
      return {
          "waiting",
          psprintf(
              "Three worker ids are leased to this server already, as after three crashes within \"idgen.lease_ttl\"; "
              "the first of them is free at %s at the earliest.",
              until),
          "After crashes it ends by itself; see the server log for why. Servers that have host name, port and data "
          "directory in common cannot be told apart: idgen_workers() shows them, and another port helps."};
    case Why::kAhead:
      return {
          "waiting",
          psprintf("Of every free worker id, ids more than a minute ahead of the store's clock may have been issued; "
                   "one can be leased at %s.",
                   until),
          "It ends by itself. Raise \"idgen.max_workers\" on all servers to have more worker ids."};
    default:
      return {"waiting",
              psprintf(
                  "All worker ids from \"idgen.min_worker\" to below \"idgen.max_workers\" are leased; the first lease "
                  "that is not renewed runs out at %s.",
                  until),
              "idgen_workers() shows who holds them. Raise \"idgen.max_workers\" on all servers, or stop one."};
  }
}

const char* Failure(const lease::LeaseView& view, bool in_full) {
  return psprintf("The lease store has failed since %s (failures in a row: %d)%s%s.", TimeText(view.failing_since_ms),
                  view.failures, in_full ? ": " : "", in_full ? view.problem : "");
}

constexpr const char* kFailingAdvice =
    "The server keeps trying. If the store is well, see \"idgen.lease_store\", \"idgen.lease_password_file\" and the "
    "\"idgen.lease_tls_...\" settings, and reload.";

Diagnosis OfRefused(const WorkerStatus& status) {
  const char* floor = TimeText(status.view.floor_ms);
  if (-status.lease.store_lags_us > core::kMsPerDay * core::kUsPerMs)
    return {
        "refused",
        psprintf("The lease store's clock is %.0f s ahead of this server's: it leases no worker id for ids before %s.",
                 Seconds(-status.lease.store_lags_us), floor),
        "Set the clock that is wrong, the store's or this server's; ids then flow by themselves."};
  return {
      "refused",
      psprintf("Ids up to %s may have been issued under the leased worker id, or by this server before; that is more "
               "than a day ahead of the wall clock.",
               floor),
      "If the clock is wrong, set it; ids then flow by themselves. If it was wrong before, or the store is, "
      "idgen_forget_floor() gives the floor up, at the risk that its COMMENT describes."};
}

}  // namespace

Diagnosis DiagnoseLease(const WorkerStatus& status, bool in_full) {
  const lease::LeaseView& view = status.lease;
  if (!status.worker_id.had)
    return {
        "refused", WhyNoWorkerId(status, in_full),
        *ShownStore() == '\0' ? "Set \"idgen.lease_store\" and reload." : "Change one of these settings and reload."};
  if (status.view.phase == Phase::kRefused) return OfRefused(status);
  if (status.view.phase == Phase::kWaiting)
    return {
        "waiting",
        psprintf("The wall clock is more than 30 days past the store's clock, %.0f s.", Seconds(view.store_lags_us)),
        "It is believed once it has stayed so for 30 seconds. If it is wrong, set it."};
  if (status.view.source_error != 0) return {"failing", FileFailure(status.view.source_error, in_full), kFileAdvice};
  if (status.view.phase != Phase::kHolding) {
    if (view.failures > 0) return {"failing", Failure(view, in_full), kFailingAdvice};
    if (view.busy != Why::kNone) return OfBusy(status);
    return {"starting", "The background worker is leasing a worker id.", nullptr};
  }
  const int64 id_clock_ms = core::MsOf(io::WallUs() + status.view.clock_ahead_us);
  if (view.failures > 0)
    return {"failing",
            psprintf(id_clock_ms < status.view.ceiling_ms ? "%s Ids can be given until %s."
                                                          : "%s No ids can be given since %s.",
                     Failure(view, in_full), TimeText(status.view.ceiling_ms)),
            kFailingAdvice};
  // Ids with a worker id of before, from a clock that was ahead: the line goes only forward.
  if (status.view.short_of_ceiling && view.store_lags_us < core::kUsPerSecond)
    return {"waiting",
            psprintf("What this server has issued, or may have issued, under a former worker id is %.1f s ahead of the "
                     "clock, and no id may be further ahead than \"idgen.lease_ttl\", %.1f s.",
                     Seconds(status.view.clock_ahead_us), Seconds(status.lease_ttl_ms * core::kUsPerMs)),
            "It ends by itself when the clock has caught up."};
  if (status.view.short_of_ceiling)
    return {"waiting",
            psprintf("The id clock is %.1f s ahead of the store's clock, and no id may be further ahead than "
                     "\"idgen.lease_ttl\", %.1f s.",
                     Seconds(view.store_lags_us + status.view.clock_ahead_us),
                     Seconds(status.lease_ttl_ms * core::kUsPerMs)),
            "Set the clock that is wrong, this server's or the store's; ids then flow by themselves. A clock that was "
            "set back is caught up with as the id clock is slewed."};
  return {nullptr, nullptr, nullptr};
}

}  // namespace idgen::pg
