// Log lines for events of the keeper: at acquisition, loss, the first failure and the recovery, not at every retry.
#include "pg/worker/event_log.h"

#include "pg/base/locks.h"
#include "pg/base/settings.h"
#include "pg/status/diagnosis.h"

#include "core/time.h"
#include "io/clock.h"

#include <cstring>
#include <utility>

namespace idgen::pg {
namespace {

using lease::Event;

constexpr const char* kRetrying = "The worker retries until it succeeds; further failures are not logged.";

void CountStepBack(Shared& shared, int64 by_us) {
  AcquireLock(&shared.lock, LW_EXCLUSIVE);
  shared.status.steps_back++;
  shared.status.largest_step_back_us = Max(shared.status.largest_step_back_us, by_us);
  LWLockRelease(&shared.lock);
}

bool LeasedNow() { return WorkerNumberSource() == lease::NumberSource::kLease; }

const char* LossText(lease::StoreReply::Why why) {
  using Why = lease::StoreReply::Why;
  if (why == Why::kOtherCluster) return "another etcd cluster answers in place of the one that it is from";
  if (why == Why::kCopied)
    return "another server has raised its ceiling: a copy of this server's machine, or an earlier holder after the "
           "store "
           "was restored";
  if (why == Why::kForgotten) return "the store no longer has a record of it";
  if (why == Why::kTaken) return "it expired and is now free or held by another server";
  return "the store reports it as lost";
}

const char* PastText(lease::Past past) {
  switch (past) {
    case lease::Past::kMissing: return "is missing";
    case lease::Past::kDamaged: return "is damaged";
    case lease::Past::kCopied: return "is a copy, made with the data directory";
    case lease::Past::kOtherSystem: return "belongs to another cluster";
    case lease::Past::kPromoted:
      return "is from another timeline: the server was promoted or recovered to a point in time";
    case lease::Past::kRestored: return "is older than a restored backup";
    case lease::Past::kKnown:
    case lease::Past::kNew: break;
  }
  return "belongs to this server";
}

}  // namespace

void RememberError(Shared& shared, const char* text) {
  AcquireLock(&shared.lock, LW_EXCLUSIVE);
  strlcpy(shared.status.last_error, text, sizeof shared.status.last_error);
  shared.status.last_error_at = GetCurrentTimestamp();
  LWLockRelease(&shared.lock);
}

void EventLog::Log(const Event& event) {
  const auto seconds = [&event] { return static_cast<double>(event.by_us) / core::kUsPerSecond; };
  switch (event.kind) {
    case Event::Kind::kPublished:
      if (losses_not_logged_ > 0) break;
      ereport(LOG, (errmsg("idgen: issuing ids with worker id %u", event.worker),
                    event.floor_ms > 0 ? errdetail("All of them are later than %s.", TimeText(event.floor_ms)) : 0));
      break;
    case Event::Kind::kWithheld:
      if (losses_not_logged_ > 0) break;
      ereport(LOG, (errmsg("idgen: holding worker id %u in advance of a promotion", event.worker)));
      break;
    case Event::Kind::kWorkerChanged:
      if (event.has_worker)
        ereport(LOG, (errmsg("idgen: issuing ids with worker id %u from now on", event.worker)));
      else
        ereport(LOG, (errmsg("idgen: issuing no ids until there is a worker id")));
      break;
    case Event::Kind::kPastUncertain: {
      const char* text = psprintf("file \"%s\" %s", path_, PastText(event.past));
      ereport(LOG, (errmsg("idgen: %s", text),
                    errdetail("New ids will be later than %s, above all ids that may have been issued before.",
                              TimeText(event.floor_ms))));
      RememberError(shared_, text);
      AcquireLock(&shared_.lock, LW_EXCLUSIVE);
      shared_.status.uncertain_past = event.past;
      shared_.status.uncertain_floor_ms = event.floor_ms;
      LWLockRelease(&shared_.lock);
      break;
    }
    case Event::Kind::kHeldBack: {
      WorkerStatus status = CopyStatus(shared_);
      const Diagnosis diagnosis = Diagnose(status, true);
      ereport(LOG, (errmsg("idgen: not issuing ids yet"), errdetail("%s", diagnosis.reason),
                    errhint("%s", diagnosis.advice)));
      break;
    }
    case Event::Kind::kLost: LogLoss(event); break;
    case Event::Kind::kReplaced:
      ereport(LOG, (errmsg("idgen: giving up worker id %u because the settings have changed", event.worker)));
      break;
    case Event::Kind::kFloorForgotten:
      ereport(LOG, (errmsg("idgen: forgetting the floor %s as requested by idgen_forget_floor()",
                           TimeText(event.floor_ms))));
      break;
    case Event::Kind::kSourceFailed: {
      if (LeasedNow() && event.error == 0) {
        const WorkerStatus status = CopyStatus(shared_);
        const char* advice = status.store_failure_advice;
        ereport(LOG, (errmsg("idgen: lease store failed: %s", status.lease.problem), errdetail("%s", kRetrying),
                      *advice != '\0' ? errhint("%s", advice) : 0));
        break;
      }
      const char* text = psprintf("could not read or write file \"%s\": %s", path_, strerror(event.error));
      ereport(LOG, (errmsg("idgen: %s", text), errdetail("%s", kRetrying)));
      RememberError(shared_, text);
      break;
    }
    case Event::Kind::kSourceRecovered:
      if (LeasedNow() && event.error == 0)
        ereport(LOG, (errmsg("idgen: lease store is available again")));
      else
        ereport(LOG, (errmsg("idgen: file \"%s\" can be read and written again", path_)));
      break;
    case Event::Kind::kClockBack:
      CountStepBack(shared_, event.by_us);
      if (!MayLogStep(event.kind)) break;
      ereport(LOG, (errmsg("idgen: wall clock stepped back by %.3f s", seconds()),
                    errdetail("The id clock is slewed; ids do not go back.")));
      break;
    case Event::Kind::kClockForward:
      if (!MayLogStep(event.kind)) break;
      ereport(LOG, (errmsg("idgen: wall clock stepped forward by %.3f s", seconds())));
      break;
    case Event::Kind::kClockStepHeld:
      if (!MayLogStep(event.kind)) break;
      ereport(LOG,
              (errmsg("idgen: wall clock stepped forward by %.3f s, more than \"idgen.max_clock_step\"", seconds()),
               errdetail("The id clock follows after the step has persisted for 30 seconds.")));
      break;
    case Event::Kind::kClockStepTaken:
      if (!MayLogStep(event.kind)) break;
      ereport(LOG, (errmsg("idgen: id clock followed a persistent step forward of %.3f s", seconds())));
      break;
    case Event::Kind::kReleased:
      if (event.withheld) {
        ereport(LOG, (errmsg("idgen: released worker id %u, which was held in advance of a promotion", event.worker)));
        break;
      }
      if (LeasedNow()) {
        ereport(LOG, (errmsg("idgen: stopped issuing ids and released worker id %u", event.worker)));
        break;
      }
      ereport(LOG, (errmsg("idgen: stopped issuing ids"),
                    errdetail("After the next start, ids continue from %s.", TimeText(event.floor_ms))));
      break;
  }
}

// At most one loss per minute. The lease after a loss that was not logged is not logged either.
void EventLog::LogLoss(const Event& event) {
  const char* text =
      psprintf("lost the lease of worker id %u: %s", event.worker, LossText(CopyStatus(shared_).lease.lost));
  RememberError(shared_, text);
  const int64 boot_us = io::BootUs();
  if (!loss_limit_.Allows(boot_us)) {
    ++losses_not_logged_;
    lost_at_us_ = boot_us;
    return;
  }
  const char* consequence = event.withheld ? "The worker leases another one in advance of a promotion."
                                           : "No more ids are issued under it; the worker leases another one.";
  ereport(LOG, (errmsg("idgen: %s", text), losses_not_logged_ == 0
                                               ? errdetail("%s", consequence)
                                               : errdetail("%s Earlier losses that were not logged: %llu.", consequence,
                                                           static_cast<unsigned long long>(losses_not_logged_))));
  losses_not_logged_ = 0;
}

void EventLog::LogLastingLease() {
  const core::Identity identity(shared_.server.identity.load());
  if (losses_not_logged_ == 0 || !identity || io::BootUs() - lost_at_us_ < 10 * core::kUsPerSecond) return;
  ereport(LOG, (errmsg("idgen: issuing ids with worker id %u", identity.worker()),
                errdetail("Earlier losses of leases that were not logged: %llu.",
                          static_cast<unsigned long long>(losses_not_logged_))));
  losses_not_logged_ = 0;
}

// When another cluster appears, and when worker ids are leased from it.
void EventLog::LogCluster(const lease::LeaseView& view) {
  const uint64 other = std::exchange(other_cluster_, view.other_cluster);
  if (view.other_cluster == other) return;
  if (view.other_cluster != 0) {
    const Diagnosis diagnosis = DiagnoseOtherCluster(CopyStatus(shared_));
    ereport(WARNING, (errmsg("idgen: another etcd cluster answers in place of the lease store"),
                      errdetail("%s", diagnosis.reason), errhint("%s", diagnosis.advice)));
    RememberError(shared_, "another etcd cluster answers in place of the lease store");
  } else {
    ereport(LOG, (errmsg("idgen: leasing worker ids from etcd cluster %llx",
                         static_cast<unsigned long long>(view.cluster))));
  }
}

void EventLog::LogPresence(const lease::PresenceView& view) {
  const lease::RivalView& rival = view.rival;
  if (MayLogRival(rival.seen())) {
    if (rival.seen()) {
      const char* text = psprintf("another live server uses worker id %u", rival.worker);
      ereport(
          WARNING,
          (errmsg("idgen: %s", text),
           errdetail("It is \"%s\" and has the worker id %s. Ids are duplicated while both issue ids.", rival.holder,
                     rival.kind == lease::StoreReply::Rival::kLease ? "from a lease" : "as a static worker id"),
           errhint("Stop one of the two servers or give it another worker id, then look for ids that both have "
                   "issued.")));
      RememberError(shared_, text);
    } else if (view.answered) {
      ereport(LOG, (errmsg("idgen: no other live server uses this server's worker id any more")));
    }
  }
  const bool fails = view.failures > 0;
  if (std::exchange(presence_fails_, fails) == fails) return;
  if (fails)
    ereport(LOG, (errmsg("idgen: could not announce this server's static worker id to the store: %s", view.problem),
                  errdetail("Ids are issued without it, but another server with the same worker id goes unnoticed. %s",
                            kRetrying)));
  else if (view.answered)
    ereport(LOG, (errmsg("idgen: this server's static worker id is announced to the store again")));
}

// Each kind of step at most once per minute.
bool EventLog::MayLogStep(Event::Kind kind) noexcept {
  using Kind = Event::Kind;
  const int which = kind == Kind::kClockBack       ? 0
                    : kind == Kind::kClockForward  ? 1
                    : kind == Kind::kClockStepHeld ? 2
                                                   : 3;
  return step_limits_[which].Allows(io::BootUs());
}

// When another server appears, every ten minutes while it is seen, and when it is gone.
bool EventLog::MayLogRival(bool is_seen) noexcept {
  constexpr int64 kRepeatUs = 10 * 60 * core::kUsPerSecond;
  const int64 boot_us = io::BootUs();
  if (!is_seen) return std::exchange(rival_logged_at_us_, 0) != 0;
  if (rival_logged_at_us_ != 0 && boot_us - rival_logged_at_us_ < kRepeatUs) return false;
  rival_logged_at_us_ = boot_us;
  return true;
}

}  // namespace idgen::pg
