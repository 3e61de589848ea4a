// The state of a leased worker id in words.
#include "pg/status/diagnosis.h"

#include "io/clock.h"
#include "pg/base/sentence.h"
#include "pg/lease/settings.h"

namespace idgen::pg {
namespace {

using lease::Phase;
using Why = lease::StoreReply::Why;

double Seconds(int64 us) { return static_cast<double>(us) / core::kUsPerSecond; }

// A time by the store's clock, converted to this server's.
const char* LocalTimeText(const WorkerStatus& status, int64 store_ms) {
  return TimeText(store_ms + status.lease.store_lags_us / core::kUsPerMs);
}

Diagnosis DiagnoseBusy(const WorkerStatus& status) {
  const bool is_until_known = status.lease.busy_until_ms != 0;
  const char* until = LocalTimeText(status, status.lease.busy_until_ms);
  switch (status.lease.busy) {
    case Why::kQuarantine:
      return {
          "waiting",
          psprintf(
              "The store is new or was restarted, failed over or emptied, so it may have lost leases. No worker id is "
              "leased before %s, one \"idgen.lease_ttl\" after this was noticed.",
              until),
          "The wait ends by itself. If no server has ever used this prefix, idgen_declare_new_prefix() ends it at "
          "once."};
    case Why::kCrashes:
      return {
          "waiting",
          psprintf("This server already holds leases of three worker ids, as after three crashes within "
                   "\"idgen.lease_ttl\". %s",
                   is_until_known ? psprintf("The first of them expires at %s at the earliest.", until)
                                  : "They expire one \"idgen.lease_ttl\" after the crashes."),
          "After crashes the wait ends by itself; see the server log for their cause. Servers that have the same host "
          "name, port and data directory count as one: idgen_workers() shows them, and a different port separates "
          "them."};
    case Why::kOtherCluster: return DiagnoseOtherCluster(status);
    case Why::kAhead:
      return {
          "waiting",
          psprintf(
              "Under each free worker id, ids more than one minute ahead of the store's clock may have been issued. "
              "The first can be leased at %s.",
              until),
          "The wait ends by itself. To have more worker ids, raise \"idgen.max_workers\" on all servers."};
    default:
      return {"waiting",
              psprintf("All worker ids from \"idgen.min_worker\" to below \"idgen.max_workers\" are leased. %s",
                       is_until_known ? psprintf("The first lease expires at %s unless it is renewed.", until)
                                      : "A lease expires one \"idgen.lease_ttl\" after its last renewal."),
              "idgen_workers() shows their holders. Raise \"idgen.max_workers\" on all servers, or stop a server."};
  }
}

const char* Failure(const lease::LeaseView& view, bool in_full) {
  return psprintf("The lease store has been failing since %s (consecutive failures: %d)%s%s",
                  TimeText(view.failing_since_ms), view.failures, in_full ? ": " : "",
                  Sentence(in_full ? view.problem : ""));
}

constexpr const char* kGeneralAdvice =
    "The server keeps retrying. If the store is up, check \"idgen.lease_store\", \"idgen.lease_password_file\" and the "
    "\"idgen.lease_tls_...\" settings, and reload the configuration.";

const char* FailingAdvice(const WorkerStatus& status) {
  return *status.store_failure_advice != '\0' ? psprintf("%s The server keeps retrying.", status.store_failure_advice)
                                              : kGeneralAdvice;
}

Diagnosis DiagnoseRefused(const WorkerStatus& status) {
  const char* floor = TimeText(status.view.floor_ms);
  if (-status.lease.store_lags_us > core::kMsPerDay * core::kUsPerMs)
    return {"refused",
            psprintf(
                "The lease store's clock is %.0f s ahead of this server's, and a lease would only permit ids after %s.",
                Seconds(-status.lease.store_lags_us), floor),
            "Set whichever clock is wrong, the store's or this server's; the server then issues ids."};
  return {
      "refused",
      psprintf("Ids up to %s, more than a day ahead of the wall clock, may already have been issued under the leased "
               "worker id or by this server.",
               floor),
      kFarAheadAdvice};
}

}  // namespace

Diagnosis DiagnoseOtherCluster(const WorkerStatus& status) {
  const lease::LeaseView& view = status.lease;
  return {
      "waiting",
      psprintf("The lease store answers as etcd cluster %llx, but this server's last lease is from cluster %llx. No "
               "worker id is leased from the other cluster before %s, one \"idgen.lease_ttl\" after this was "
               "noticed.",
               static_cast<unsigned long long>(view.other_cluster), static_cast<unsigned long long>(view.cluster),
               LocalTimeText(status, view.other_until_ms)),
      "If the cluster was replaced or restored, the wait ends by itself. Otherwise make sure that all hosts in "
      "\"idgen.lease_store\" are members of one cluster, the same on all servers: worker ids are unique within a "
      "cluster only."};
}

Diagnosis DiagnoseLease(const WorkerStatus& status, bool in_full) {
  const lease::LeaseView& view = status.lease;
  if (!status.worker_id.had)
    return {"refused", WhyNoWorkerId(status, in_full),
            !lease_store_url.is_set() ? "Set \"idgen.lease_store\" and reload the configuration."
                                      : "Change one of these settings and reload the configuration."};
  if (status.view.phase == Phase::kRefused) return DiagnoseRefused(status);
  if (status.view.phase == Phase::kWaiting)
    return {"waiting",
            psprintf("The wall clock is %.0f s, more than 30 days, ahead of the lease store's.",
                     Seconds(view.store_lags_us)),
            kClockFarAheadAdvice};
  if (status.view.source_error != 0) return {"failing", FileFailure(status.view.source_error, in_full), kFileAdvice};
  if (status.view.phase != Phase::kHolding) {
    if (view.failures > 0) return {"failing", Failure(view, in_full), FailingAdvice(status)};
    if (view.busy != Why::kNone) return DiagnoseBusy(status);
    return {"starting", "The background worker is leasing a worker id.", nullptr};
  }
  const int64 id_clock_ms = core::MsOf(io::WallUs() + status.view.clock_ahead_us);
  if (view.failures > 0)
    return {"failing",
            psprintf(id_clock_ms < status.view.ceiling_ms ? "%s Ids can be issued until %s."
                                                          : "%s No ids could be issued since %s.",
                     Failure(view, in_full), TimeText(status.view.ceiling_ms)),
            FailingAdvice(status)};
  // Ids issued under an earlier worker id by a clock that was ahead: a line never goes back.
  if (status.view.short_of_ceiling && view.store_lags_us < core::kUsPerSecond)
    return {
        "waiting",
        psprintf("Ids that this server may have issued under an earlier worker id are %.1f s ahead of the clock, and "
                 "no id may be more than \"idgen.lease_ttl\" (%.1f s) ahead.",
                 Seconds(status.view.clock_ahead_us), Seconds(status.lease_ttl_ms * core::kUsPerMs)),
        "The wait ends by itself when the clock has caught up."};
  if (status.view.short_of_ceiling)
    return {
        "waiting",
        psprintf("The id clock is %.1f s ahead of the store's clock, and no id may be more than \"idgen.lease_ttl\" "
                 "(%.1f s) ahead.",
                 Seconds(view.store_lags_us + status.view.clock_ahead_us),
                 Seconds(status.lease_ttl_ms * core::kUsPerMs)),
        "Set whichever clock is wrong, this server's or the store's; the server then issues ids. After a clock was "
        "set back, the wait ends by itself as the id clock is slewed."};
  return {nullptr, nullptr, nullptr};
}

}  // namespace idgen::pg
