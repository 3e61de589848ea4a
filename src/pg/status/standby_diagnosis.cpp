// The state of a hot standby in words: above all, whether it could issue ids at once if it were promoted now.
#include "pg/status/diagnosis.h"

#include "io/clock.h"
#include "pg/base/settings.h"
#include "pg/lease/settings.h"

namespace idgen::pg {
namespace {

constexpr const char* kAdvice = "Request ids on the primary. This server issues ids after a promotion.";

Diagnosis NotReady(const char* reason, const char* advice) {
  return {"standby", psprintf("This server is a hot standby and is not ready for a promotion. %s", reason),
          advice != nullptr ? advice : kAdvice};
}

// What the promoted server would find in its local file; nullptr if nothing delays it.
const char* WhyFileDelays(const WorkerStatus& status) {
  if (status.if_promoted.past != lease::Past::kKnown)
    return psprintf("Its file \"%s\" was last written under another source of worker ids, so a promoted server would "
                    "start above all ids that may have been issued under that, about %.0f s ahead of the clock.",
                    io::CeilingFile::kName,
                    static_cast<double>(status.if_promoted.past_ms - core::MsOf(io::WallUs())) / 1000);
  if (status.if_promoted.past_ms >= status.view.ceiling_ms)
    return psprintf("Its file \"%s\" shows that ids up to %s may have been issued under another source of worker ids.",
                    io::CeilingFile::kName, TimeText(status.if_promoted.past_ms));
  return nullptr;
}

}  // namespace

Diagnosis DiagnoseStandby(const WorkerStatus& status, bool in_full) {
  if (WorkerNumberSource() != lease::NumberSource::kLease)
    return {"standby", "This server is a hot standby; its static worker id may be in use on the primary.", kAdvice};
  if (!LeasesOnStandby())
    return {"standby", "This server is a hot standby; it leases a worker id when it is promoted.", kAdvice};
  if (status.pid == 0)
    return NotReady("The background worker \"idgen worker\" is not running.",
                    "It is restarted within one second. If it is not, see the server log and "
                    "\"max_worker_processes\".");
  if (status.view.phase == lease::Phase::kReleasing || status.view.phase == lease::Phase::kStopped)
    return NotReady("The background worker is shutting down.", nullptr);
  const Diagnosis lease = DiagnoseLease(status, in_full);
  if (lease.state != nullptr) return NotReady(lease.reason, lease.advice);
  if (status.if_promoted.error != 0) return NotReady(FileFailure(status.if_promoted.error, in_full), kFileAdvice);
  if (const char* why = WhyFileDelays(status); why != nullptr)
    return NotReady(why, "If the primary has leased its worker id from the same store and prefix for some minutes, "
                         "remove the file from this server's data directory. Otherwise the server needs the store when "
                         "it is promoted, and may wait.");
  if (core::MsOf(io::WallUs() + status.view.clock_ahead_us) >= status.view.ceiling_ms)
    return NotReady("The ceiling of its worker id has passed and was not raised.", "See the server log.");
  return {"ready", psprintf("This server is a hot standby that holds worker id %u in advance: it issues ids as soon as "
                            "it is promoted.",
                            core::Identity(SharedState()->server.withheld.load()).worker()),
          kAdvice};
}

}  // namespace idgen::pg
