// Events of the keeper as log lines: at acquisition, loss, the first failure and the recovery, not at every retry.
#include "pg/worker/event_log.h"

#include "pg/base/settings.h"
#include "pg/status/diagnosis.h"

#include "core/time.h"
#include "io/clock.h"

#include <cstring>

namespace idgen::pg {
namespace {

using lease::Event;

void CountStepBack(Shared& shared, int64 by_us) {
  LWLockAcquire(shared.lock, LW_EXCLUSIVE);
  shared.status.steps_back++;
  shared.status.largest_step_back_us = Max(shared.status.largest_step_back_us, by_us);
  LWLockRelease(shared.lock);
}

bool LeasedNow() { return WorkerNumberSource() == lease::NumberSource::kLease; }

const char* LossText(lease::StoreReply::Why why) {
  using Why = lease::StoreReply::Why;
  if (why == Why::kForgotten) return "the store has no record of it any more";
  if (why == Why::kTaken) return "it was free for too long, and is free or another server's";
  return "the store says so";
}

const char* PastText(lease::Past past) {
  switch (past) {
    case lease::Past::kMissing: return "is missing";
    case lease::Past::kDamaged: return "is damaged";
    case lease::Past::kCopied: return "is a copy: the data directory was copied";
    case lease::Past::kOtherSystem: return "is another cluster's";
    case lease::Past::kPromoted:
      return "is from another timeline: the server was promoted or recovered to a point in time";
    case lease::Past::kRestored: return "is from before a backup was restored";
    case lease::Past::kKnown:
    case lease::Past::kNew: break;
  }
  return "is this server's";
}

}  // namespace

void RememberError(Shared& shared, const char* text) {
  LWLockAcquire(shared.lock, LW_EXCLUSIVE);
  strlcpy(shared.status.last_error, text, sizeof shared.status.last_error);
  shared.status.last_error_at = GetCurrentTimestamp();
  LWLockRelease(shared.lock);
}

void Teller::Tell(const Event& event) const {
  const auto seconds = [&event] { return static_cast<double>(event.by_us) / core::kUsPerSecond; };
  switch (event.kind) {
    case Event::Kind::kPublished:
      if (watch_.losses_passed_over() > 0) break;
      ereport(LOG, (errmsg("idgen issues ids with worker id %u", event.worker),
                    event.floor_ms > 0 ? errdetail("All of them are later than %s.", TimeText(event.floor_ms)) : 0));
      break;
    case Event::Kind::kWorkerChanged:
      if (event.has_worker)
        ereport(LOG, (errmsg("idgen issues ids with worker id %u from now on", event.worker)));
      else
        ereport(LOG, (errmsg("idgen issues no ids until it has a worker id")));
      break;
    case Event::Kind::kPastUncertain: {
      const char* text = psprintf("the file \"%s\" %s", path_, PastText(event.past));
      ereport(LOG, (errmsg("idgen: %s", text),
                    errdetail("Ids will be later than %s, above what can have been issued before.",
                              TimeText(event.floor_ms))));
      RememberError(shared_, text);
      LWLockAcquire(shared_.lock, LW_EXCLUSIVE);
      shared_.status.uncertain_past = event.past;
      shared_.status.uncertain_floor_ms = event.floor_ms;
      LWLockRelease(shared_.lock);
      break;
    }
    case Event::Kind::kHeldBack: {
      WorkerStatus status = CopyStatus(shared_);
      const Diagnosis diagnosis = Diagnose(status, true);
      ereport(LOG, (errmsg("idgen does not issue ids yet"), errdetail("%s", diagnosis.reason),
                    errhint("%s", diagnosis.advice)));
      break;
    }
    case Event::Kind::kLost: {
      const char* text =
          psprintf("the lease of worker id %u is lost: %s", event.worker, LossText(CopyStatus(shared_).lease.lost));
      RememberError(shared_, text);
      const uint64 passed_over = watch_.losses_passed_over();
      if (!watch_.MayLogLoss(io::BootUs())) break;
      ereport(LOG, (errmsg("idgen: %s", text),
                    passed_over == 0 ? errdetail("Nothing is issued under it any more; another is leased.")
                                     : errdetail("Nothing is issued under it any more; another is leased. Others that "
                                                 "were lost before and not logged: %llu.",
                                                 static_cast<unsigned long long>(passed_over))));
      break;
    }
    case Event::Kind::kReplaced:
      ereport(LOG, (errmsg("idgen gives up worker id %u: the settings point elsewhere", event.worker)));
      break;
    case Event::Kind::kFloorForgotten:
      ereport(LOG, (errmsg("idgen gives up the floor %s, as the operator asked", TimeText(event.floor_ms))));
      break;
    case Event::Kind::kSourceFailed: {
      if (LeasedNow() && event.error == 0) {
        ereport(LOG, (errmsg("idgen: the lease store fails: %s", CopyStatus(shared_).lease.problem),
                      errdetail("The worker retries until it succeeds; this is logged once.")));
        break;
      }
      const char* text = psprintf("could not read or write \"%s\": %s", path_, strerror(event.error));
      ereport(LOG,
              (errmsg("idgen: %s", text), errdetail("The worker retries until it succeeds; this is logged once.")));
      RememberError(shared_, text);
      break;
    }
    case Event::Kind::kSourceRecovered:
      if (LeasedNow() && event.error == 0)
        ereport(LOG, (errmsg("idgen: the lease store answers again")));
      else
        ereport(LOG, (errmsg("idgen: \"%s\" can be read and written again", path_)));
      break;
    case Event::Kind::kClockBack:
      CountStepBack(shared_, event.by_us);
      if (!watch_.MayLogStep(event.kind)) break;
      ereport(LOG, (errmsg("idgen: the wall clock stepped back by %.3f s", seconds()),
                    errdetail("The id clock goes on and is slewed; ids do not go back.")));
      break;
    case Event::Kind::kClockForward:
      if (!watch_.MayLogStep(event.kind)) break;
      ereport(LOG, (errmsg("idgen: the wall clock stepped forward by %.3f s", seconds())));
      break;
    case Event::Kind::kClockStepHeld:
      if (!watch_.MayLogStep(event.kind)) break;
      ereport(LOG,
              (errmsg("idgen: the wall clock stepped forward by %.3f s, more than \"idgen.max_clock_step\"", seconds()),
               errdetail("The id clock follows when it has stayed so for 30 seconds.")));
      break;
    case Event::Kind::kClockStepTaken:
      if (!watch_.MayLogStep(event.kind)) break;
      ereport(LOG, (errmsg("idgen: the id clock took a persistent step forward by %.3f s", seconds())));
      break;
    case Event::Kind::kReleased:
      if (LeasedNow()) {
        ereport(LOG, (errmsg("idgen stopped issuing ids and released worker id %u", event.worker)));
        break;
      }
      ereport(LOG, (errmsg("idgen stopped issuing ids"),
                    errdetail("The next start goes on at %s.", TimeText(event.floor_ms))));
      break;
  }
}

void Teller::TellCompany(const lease::PresenceView& view) const {
  const lease::RivalView& rival = view.rival;
  if (watch_.MayTellRival(rival.seen())) {
    if (rival.seen()) {
      const char* text = psprintf("another live server has worker id %u", rival.worker);
      ereport(WARNING, (errmsg("idgen: %s", text),
                        errdetail("It is \"%s\", and has it %s. Ids repeat while both issue.", rival.holder,
                                  rival.kind == lease::StoreReply::Rival::kLease ? "from a lease" : "as a static one"),
                        errhint("Give one of the two another worker id, and look for ids that both have issued.")));
      RememberError(shared_, text);
    } else if (view.answered) {
      ereport(LOG, (errmsg("idgen: no other live server has this server's worker id any more")));
    }
  }
  if (!watch_.PresenceChanged(view.failures > 0)) return;
  if (view.failures > 0)
    ereport(LOG, (errmsg("idgen: the store could not be told of this server's static worker id: %s", view.problem),
                  errdetail("Ids flow without it, but another server with the same worker id is not noticed. Tried "
                            "again until it succeeds; this is logged once.")));
  else if (view.answered)
    ereport(LOG, (errmsg("idgen: the store is told of this server's static worker id again")));
}

}  // namespace idgen::pg
