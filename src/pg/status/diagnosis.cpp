// The state of the server as the background worker last reported it, in words.
#include "pg/status/diagnosis.h"

#include "io/clock.h"
#include "pg/base/locks.h"
#include "pg/base/monitor_role.h"
#include "pg/base/settings.h"
#include "pg/lease/store_access.h"

#include <cerrno>
#include <cmath>
#include <cstring>

namespace idgen::pg {
namespace {

using lease::Phase;
using lease::Verdict;

constexpr int64 kWarnBeforeEndMs = 5 * 365 * core::kMsPerDay;

// What to change if the settings give no worker id.
const char* WorkerIdAdvice() {
  switch (WorkerNumberSource()) {
    case lease::NumberSource::kHostname:
      return "Give the host a name that ends in a hyphen and the worker id, or change \"idgen.worker_source\" and "
             "reload the configuration.";
    case lease::NumberSource::kEnv:
      return "Restart the server with a worker id in the environment variable named by \"idgen.worker_env\", or change "
             "\"idgen.worker_source\" and reload the configuration.";
    case lease::NumberSource::kIp:
      return "Set \"idgen.worker_interface\" or change \"idgen.worker_source\", and reload the configuration.";
    case lease::NumberSource::kStatic:
    case lease::NumberSource::kLease: break;
  }
  return "Set \"idgen.worker_id\" and reload the configuration.";
}

Diagnosis DiagnoseWait(const lease::View& view) {
  const char* floor = TimeText(view.floor_ms);
  switch (view.verdict) {
    case Verdict::kFloorAhead:
      return {
          "waiting",
          psprintf(
              "Ids up to %s, which is ahead of the wall clock, may already have been issued; new ids start above that.",
              floor),
          psprintf("The server issues ids after at most %.0f s (\"idgen.max_ahead\" + \"idgen.ceiling_window\"), even "
                   "if the clock has not reached that time. If the clock is wrong, set it.",
                   ceil(static_cast<double>(CurrentIdSettings().max_ahead_ms + CurrentIdSettings().window_ms) / 1000))};
    case Verdict::kFloorFarAhead:
      return {"refused",
              psprintf("Ids up to %s, more than a day ahead of the wall clock, may already have been issued.", floor),
              kFarAheadAdvice};
    case Verdict::kClockFarAhead:
      return {"waiting",
              psprintf("The wall clock is more than 30 days past %s, when this server last issued ids.", floor),
              kClockFarAheadAdvice};
    case Verdict::kRun: break;
  }
  return {"starting", "The background worker is about to start issuing ids.", nullptr};
}

// How long the status reports a start above an uncertain floor: long enough for a daily check.
constexpr int64 kReportUncertainMs = core::kMsPerDay;

const char* PastText(lease::Past past) {
  switch (past) {
    case lease::Past::kMissing: return "The file \"idgen.ceiling\" was missing";
    case lease::Past::kDamaged: return "The file \"idgen.ceiling\" was damaged";
    case lease::Past::kCopied: return "The data directory is a copy";
    case lease::Past::kOtherSystem: return "The file \"idgen.ceiling\" belongs to another cluster";
    case lease::Past::kPromoted: return "The server was promoted or recovered to a point in time";
    case lease::Past::kRestored: return "A backup was restored over the data directory";
    case lease::Past::kKnown:
    case lease::Past::kNew: break;
  }
  return "It is unknown which ids this server has issued";
}

// Whether another server may have this one's worker id: what the store, the guards and the start say about it.
Diagnosis DiagnoseRival(const WorkerStatus& status) {
  const lease::RivalView& rival = status.rival;
  if (rival.seen())
    return {
        "warning",
        psprintf("Another live server%s also uses worker id %u, %s. Ids are duplicated while both issue ids.",
                 MaySeeServer() ? psprintf(", \"%s\",", rival.holder) : "", rival.worker,
                 rival.kind == lease::StoreReply::Rival::kLease ? "from a lease" : "as a static worker id"),
        psprintf("Stop one of the two servers or give it another worker id at once, then look for ids that both have "
                 "issued. The other server was first seen at %s; it may have issued ids before that.",
                 TimeText(rival.since_ms))};
  if (const GuardAlarm* alarm = AlarmOfDatabase(status.alarms); alarm != nullptr) {
    const char* table = get_rel_name(alarm->table);
    return {"warning",
            psprintf("The guard of table \"%s\" in this database saw replicated rows whose ids have worker id %u, this "
                     "server's own, and a time at which this server held it. The latest was id %lld, at %s.",
                     table != nullptr ? table : "(dropped)", alarm->worker, static_cast<long long>(alarm->id),
                     pstrdup(timestamptz_to_str(alarm->at))),
            "Another live server uses the same worker id. Stop one of the two servers or give it another worker id at "
            "once, then look for ids that both have issued. This warning disappears one hour after the last such row."};
  }
  const int64 floor_ms = status.uncertain_floor_ms;
  const int64 now_ms = core::MsOf(io::WallUs());
  if (status.leased || floor_ms == 0 || now_ms > floor_ms + kReportUncertainMs) return {nullptr, nullptr, nullptr};
  const uint32 worker = status.worker_id.number;
  return {
      "ok",
      psprintf("%s; this server started above all ids that may have been issued before. Ids are duplicated only if "
               "the server that had worker id %u before still issues ids, %s %s.",
               PastText(status.uncertain_past), worker, now_ms < floor_ms ? "from about" : "since about",
               TimeText(floor_ms)),
      "No action is needed if that server has stopped or is now a standby. Otherwise stop it or give one of the two "
      "another worker id. This notice disappears after one day or a restart."};
}

// For a server that issues ids: what is worth knowing nevertheless, most urgent first.
Diagnosis DiagnoseHealth(const WorkerStatus& status) {
  const Diagnosis rival = DiagnoseRival(status);
  if (rival.state != nullptr) return rival;
  const int64 end_ms = core::TimeOf(core::kDefaultLayout, core::EndOfLine(core::kDefaultLayout));
  if (end_ms - core::MsOf(io::WallUs()) < kWarnBeforeEndMs)
    return {"ok", psprintf("The layout's time field runs out at %s.", TimeText(end_ms)),
            "Columns with these ids need another kind of key before then."};
  const int64 ahead_us = status.view.clock_ahead_us;
  if (ahead_us > core::kUsPerSecond)
    return {"ok",
            psprintf("The id clock is %.1f s ahead of the wall clock, which was set back or has not caught up.",
                     static_cast<double>(ahead_us) / core::kUsPerSecond),
            psprintf("It is being slewed and will be right at about %s. No action is needed.",
                     pstrdup(timestamptz_to_str(ClockRightAt(ahead_us))))};
  if (-ahead_us > core::kUsPerSecond)
    return {"ok",
            psprintf("The wall clock stepped forward and is %.1f s ahead of the id clock.",
                     static_cast<double>(-ahead_us) / core::kUsPerSecond),
            "The id clock follows after the step has persisted for 30 seconds. If the wall clock is wrong, set it."};
  if (*status.settings_problem != '\0')
    return {"ok", psprintf("The server keeps its previous settings. %s", status.settings_problem),
            "Correct the settings and reload the configuration."};
  if (const Diagnosis memory = DiagnoseStoreMemory(status); memory.reason != nullptr) return memory;
  if (status.leased && *status.store_advice != '\0') return {"ok", nullptr, pstrdup(status.store_advice)};
  if (status.leased) return {"ok", nullptr, nullptr};
  if (status.presence_fails)
    return {"ok", "The store cannot be reached, so another server with the same static worker id would go unnoticed.",
            "Issuing ids does not depend on the store. See the server log for its last error."};
  if (!status.worker_id_chosen)
    return {"ok", nullptr,
            "Worker id 0 is the built-in default, which is safe only while no other server issues ids for the same "
            "columns. Set \"idgen.worker_id\" to a number that no other server uses."};
  if (WorkerNumberSource() == lease::NumberSource::kStatic)
    return {"ok", nullptr,
            "A static worker id is safe only while no other live server uses the same \"idgen.worker_id\"."};
  return {
      "ok", nullptr,
      psprintf(
          "A worker id taken from the host, here %u, is safe only while no other live server derives the same number.",
          status.worker_id.number)};
}

}  // namespace

Diagnosis DiagnoseStoreMemory(const WorkerStatus& status) {
  if (!status.leased || !lease_store_url.is_set()) return {"ok", nullptr, nullptr};
  const bool shared = SequencesShareLeaseStore();
  const io::UrlKind& store = lease_store_url.kind();
  if (status.lease.memory == lease::StoreMemory::kEvicts)
    return {
        "ok", psprintf("The lease store evicts keys when it runs short of memory (%s).", store.evicts_keys),
        psprintf(shared ? "%s, and give sequences a store of their own (\"idgen.sequence_store\"). An evicted key lets "
                          "all servers' leases expire and makes sequences start over."
                        : "%s. An evicted key lets all servers' leases expire.",
                 store.keep_keys_advice)};
  if (status.lease.memory == lease::StoreMemory::kLimited && shared)
    return {"ok",
            psprintf("The lease store also holds the sequences, and its memory is limited (%s). If sequence keys fill "
                     "it, leases cannot be renewed and no server issues ids.",
                     store.memory_limit),
            "Give sequences a store of their own (\"idgen.sequence_store\")."};
  return {"ok", nullptr, nullptr};
}

const char* FileFailure(int error, bool in_full) {
  return psprintf("Could not read or write file \"%s%s\": %s.", in_full ? psprintf("%s/", DataDir) : "",
                  io::CeilingFile::kName, strerror(error));
}

WorkerStatus CopyStatus(const Shared& shared) {
  AcquireLock(&shared.lock, LW_SHARED);
  const WorkerStatus status = shared.status;
  LWLockRelease(&shared.lock);
  return status;
}

const char* WhyNoWorkerId(const WorkerStatus& status, bool in_full) {
  return in_full ? pstrdup(status.worker_id.problem) : "The settings give this server no worker id.";
}

Diagnosis Diagnose(const WorkerStatus& status, bool in_full) {
  if (RecoveryInProgress()) return DiagnoseStandby(status, in_full);
  if (IsBinaryUpgrade) return {"off", "The server runs in binary-upgrade mode.", nullptr};
  if (status.pid == 0)
    return {"starting", "The background worker \"idgen worker\" is not running.",
            "It is restarted within one second. If it is not, see the server log and \"max_worker_processes\"."};
  const bool stopping = status.view.phase == Phase::kReleasing || status.view.phase == Phase::kStopped;
  if (status.leased && !stopping) {
    const Diagnosis diagnosis = DiagnoseLease(status, in_full);
    return diagnosis.state != nullptr ? diagnosis : DiagnoseHealth(status);
  }
  const char* failure = status.view.source_error == 0 ? nullptr : FileFailure(status.view.source_error, in_full);
  switch (status.view.phase) {
    case Phase::kIdle:
      return {"idle", "No id has been requested yet, and there is no record of earlier ids.",
              "CREATE EXTENSION idgen declares the server new; it then issues ids."};
    case Phase::kWaiting:
    case Phase::kRefused: return DiagnoseWait(status.view);
    case Phase::kClaiming:
    case Phase::kSecuring:
      if (failure != nullptr) return {"failing", failure, kFileAdvice};
      return {"starting", "The background worker is determining above which time it can issue ids.", nullptr};
    case Phase::kReplacing: return {"starting", "The background worker is giving up its previous worker id.", nullptr};
    case Phase::kReleasing:
    case Phase::kStopped: return {"stopped", "The background worker is shutting down.", nullptr};
    case Phase::kHolding: break;
  }
  if (failure != nullptr) return {"failing", failure, kFileAdvice};
  if (!status.worker_id.had) return {"refused", WhyNoWorkerId(status, in_full), WorkerIdAdvice()};
  return DiagnoseHealth(status);
}

TimestampTz ClockRightAt(int64 ahead_us) {
  // The worker slews by a fraction of the elapsed time, but by at most half of max_ahead per turn.
  using Keeper = lease::Keeper<core::PlainMemory>;
  const int64_t max_us = CurrentIdSettings().max_ahead_ms * core::kUsPerMs / 2;
  const auto slew_us = [max_us](int64 by_us, int64 divisor) {
    return by_us / Min(Keeper::kFollowEveryUs / divisor, max_us) * Keeper::kFollowEveryUs;
  };
  const int64 fast_us = Max(ahead_us - core::kFastSlewAboveUs, int64{0});
  return GetCurrentTimestamp() + slew_us(fast_us, core::kFastSlewDivisor) +
         slew_us(ahead_us - fast_us, core::kSlewDivisor);
}

}  // namespace idgen::pg
