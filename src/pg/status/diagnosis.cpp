// Words for what the background worker last did and saw.
#include "pg/status/diagnosis.h"

#include "io/clock.h"
#include "pg/base/monitor_role.h"
#include "pg/base/settings.h"
#include "pg/sequences/sequence_store.h"

#include <cerrno>
#include <cmath>
#include <cstring>

namespace idgen::pg {
namespace {

using lease::Phase;
using lease::Verdict;

constexpr int64 kWarnBeforeEndMs = 5 * 365 * core::kMsPerDay;

// What to set where no worker id could be had.
const char* WorkerIdAdvice() {
  switch (WorkerNumberSource()) {
    case lease::NumberSource::kHostname:
      return "Give the host a name that ends in \"-\" and the worker id, or set another \"idgen.worker_source\" and "
             "reload.";
    case lease::NumberSource::kEnv:
      return "Start the server with a worker id in the environment variable that \"idgen.worker_env\" names, or set "
             "another \"idgen.worker_source\" and reload.";
    case lease::NumberSource::kIp:
      return "Set \"idgen.worker_interface\", or another \"idgen.worker_source\", and reload.";
    case lease::NumberSource::kStatic:
    case lease::NumberSource::kLease: break;
  }
  return "Set \"idgen.worker_id\" and reload.";
}

Diagnosis OfWait(const lease::View& view) {
  const char* floor = TimeText(view.floor_ms);
  switch (view.verdict) {
    case Verdict::kFloorAhead:
      return {
          "waiting",
          psprintf("Earlier ids may lie up to %s, which is ahead of the wall clock; new ids will lie above that.",
                   floor),
          psprintf(
              "Ids flow again in %.0f s at most (\"idgen.max_ahead\" + \"idgen.ceiling_window\"), not only when the "
              "clock reads that time. If the clock is wrong, set it.",
              ceil(static_cast<double>(CurrentSettings().max_ahead_ms + CurrentSettings().window_ms) / 1000))};
    case Verdict::kFloorFarAhead:
      return {
          "refused", psprintf("Earlier ids may lie up to %s, more than a day ahead of the wall clock.", floor),
          "If the clock is wrong, set it; ids then flow by themselves. If it was wrong before, idgen_forget_floor() "
          "gives the floor up, at the risk that its COMMENT describes."};
    case Verdict::kClockFarAhead:
      return {"waiting",
              psprintf("The wall clock is more than 30 days past %s, when this server last issued ids.", floor),
              "It is believed once it has stayed so for 30 seconds. If it is wrong, set it."};
    case Verdict::kRun: break;
  }
  return {"starting", "The background worker is about to start issuing.", nullptr};
}

// How long after the uncertain floor the status tells of it: whoever looks once a day finds it.
constexpr int64 kTellUncertainMs = core::kMsPerDay;

const char* PastText(lease::Past past) {
  switch (past) {
    case lease::Past::kMissing: return "The file \"idgen.ceiling\" was missing";
    case lease::Past::kDamaged: return "The file \"idgen.ceiling\" was damaged";
    case lease::Past::kCopied: return "The data directory is a copy";
    case lease::Past::kOtherSystem: return "The file \"idgen.ceiling\" is another cluster's";
    case lease::Past::kPromoted: return "The server was promoted, or recovered to a point in time";
    case lease::Past::kRestored: return "A backup was restored over the data directory";
    case lease::Past::kKnown:
    case lease::Past::kNew: break;
  }
  return "It is not known what this server has issued";
}

// Of a static worker id that two servers have: as far as the store tells, and as far as this one's start does.
Diagnosis OfCompany(const WorkerStatus& status) {
  const lease::RivalView& rival = status.rival;
  if (rival.seen())
    return {"warning",
            psprintf("Another live server has worker id %u, too, %s, and ids repeat while both issue%s.", rival.worker,
                     rival.kind == lease::StoreReply::Rival::kLease ? "from a lease" : "as a static one",
                     MaySeeServer() ? psprintf(": it is \"%s\"", rival.holder) : ""),
            psprintf("Stop one of the two or give it another worker id at once, and look for ids that both have issued "
                     "since %s or before.",
                     TimeText(rival.since_ms))};
  if (const GuardAlarm* alarm = AlarmOfDatabase(status.alarms); alarm != nullptr) {
    const char* table = get_rel_name(alarm->table);
    return {
        "warning",
        psprintf("The guard of table \"%s\" of this database has seen replicated rows with worker id %u, this server's "
                 "own, and times at which this server has held it. The last one was %lld, at %s.",
                 table != nullptr ? table : "(dropped)", alarm->worker, static_cast<long long>(alarm->id),
                 pstrdup(timestamptz_to_str(alarm->at))),
        "Another live server has the same worker id: stop one of the two or give it another at once, and look for ids "
        "that both have issued. This is shown for an hour after the last such row."};
  }
  const int64 floor_ms = status.uncertain_floor_ms;
  const int64 now_ms = core::MsOf(io::WallUs());
  if (status.leased || floor_ms == 0 || now_ms > floor_ms + kTellUncertainMs) return {nullptr, nullptr, nullptr};
  const uint32 worker = status.worker_id.number;
  return {"ok",
          psprintf("%s, and this server began above what can have been issued before. If a server that it was made of, "
                   "or that it replaces, still issues ids with worker id %u, the two issue the same ids %s %s.",
                   PastText(status.uncertain_past), worker, now_ms < floor_ms ? "from about" : "since about",
                   TimeText(floor_ms)),
          "Make sure that no such server runs, or give one of the two another worker id. This is shown for a day, or "
          "until the server is restarted."};
}

// Ids flow: what is worth knowing all the same, the most urgent first.
Diagnosis OfHealth(const WorkerStatus& status) {
  const Diagnosis company = OfCompany(status);
  if (company.state != nullptr) return company;
  const int64 end_ms = core::TimeOf(core::kDefaultLayout, core::EndOfLine(core::kDefaultLayout));
  if (end_ms - core::MsOf(io::WallUs()) < kWarnBeforeEndMs)
    return {"ok", psprintf("The layout's time field runs out at %s.", TimeText(end_ms)),
            "Columns with these ids need another key before then."};
  const int64 ahead_us = status.view.clock_ahead_us;
  if (ahead_us > core::kUsPerSecond)
    return {"ok",
            psprintf("The id clock is %.1f s ahead of the wall clock, which was set back or had not caught up.",
                     static_cast<double>(ahead_us) / core::kUsPerSecond),
            psprintf("It is slewed, and right at about %s. Nothing needs to be done.",
                     pstrdup(timestamptz_to_str(ClockRightAt(ahead_us))))};
  if (-ahead_us > core::kUsPerSecond)
    return {"ok",
            psprintf("The wall clock is %.1f s ahead of the id clock, after a step forward that must persist.",
                     static_cast<double>(-ahead_us) / core::kUsPerSecond),
            "It is taken when it has lasted for 30 seconds. If the clock is wrong, set it."};
  if (*status.settings_problem != '\0')
    return {"ok", psprintf("The previous settings are kept. %s", status.settings_problem),
            "Correct the settings and reload."};
  if (const Diagnosis memory = DiagnoseStoreMemory(status); memory.reason != nullptr) return memory;
  if (status.leased && status.lease_unguarded)
    return {
        "ok", nullptr,
        "The store fails over, and a master that is cut off would go on renewing leases that the new one gives away: "
        "set \"idgen.redis_replicas\" to the number of replicas that such a master cannot have."};
  if (status.leased) return {"ok", nullptr, nullptr};
  if (status.presence_fails)
    return {"ok", "The store is not reached, so another server with the same static worker id would not be noticed.",
            "Ids do not depend on it. The server log has the store's last error."};
  if (!status.worker_id_chosen)
    return {"ok", nullptr,
            "Worker id 0 is the built-in default: safe only while no other server issues ids for the same columns. Set "
            "\"idgen.worker_id\" to a number of this server's own."};
  if (WorkerNumberSource() == lease::NumberSource::kStatic)
    return {"ok", nullptr,
            "A static worker id is safe only while no other live server has the same \"idgen.worker_id\"."};
  return {"ok", nullptr,
          psprintf("A worker id from the host is safe only while no other live server reads the same number, here %u.",
                   status.worker_id.number)};
}

}  // namespace

Diagnosis DiagnoseStoreMemory(const WorkerStatus& status) {
  if (!status.leased) return {"ok", nullptr, nullptr};
  const bool shared = SequencesShareLeaseStore();
  if (status.lease.memory == lease::StoreMemory::kEvicts)
    return {"ok", "The lease store drops keys when its memory runs short (\"maxmemory-policy\" allkeys-...).",
            shared ? "Set its \"maxmemory-policy\" to noeviction, and give sequences a Redis of their own "
                     "(\"idgen.sequence_store\"): a dropped key makes all servers' leases run out, and sequences begin "
                     "again."
                   : "Set its \"maxmemory-policy\" to noeviction: a dropped key makes all servers' leases run out."};
  if (status.lease.memory == lease::StoreMemory::kLimited && shared)
    return {"ok",
            "The lease store has the sequences, too, and its memory is limited (\"maxmemory\"): when keys of sequences "
            "have filled it, leases cannot be renewed, and no server issues ids.",
            "Give sequences a Redis of their own: \"idgen.sequence_store\"."};
  return {"ok", nullptr, nullptr};
}

const char* FileFailure(int error, bool in_full) {
  return psprintf("The file \"%s%s\" cannot be read or written: %s.", in_full ? psprintf("%s/", DataDir) : "",
                  io::CeilingFile::kName, strerror(error));
}

WorkerStatus CopyStatus(const Shared& shared) {
  LWLockAcquire(shared.lock, LW_SHARED);
  const WorkerStatus status = shared.status;
  LWLockRelease(shared.lock);
  return status;
}

const char* WhyNoWorkerId(const WorkerStatus& status, bool in_full) {
  return in_full ? pstrdup(status.worker_id.problem) : "The settings give this server no worker id.";
}

Diagnosis Diagnose(const WorkerStatus& status, bool in_full) {
  if (RecoveryInProgress() && WorkerNumberSource() == lease::NumberSource::kLease)
    return {"standby", "This server is a hot standby, and leases a worker id when it is promoted.",
            "Ask for ids on the primary; they flow here after a promotion."};
  if (RecoveryInProgress())
    return {"standby", "This server is a hot standby, and its static worker id may be in use on the primary.",
            "Ask for ids on the primary; they flow here after a promotion."};
  if (IsBinaryUpgrade) return {"off", "The server runs in binary-upgrade mode.", nullptr};
  if (status.pid == 0)
    return {"starting", "The background worker \"idgen worker\" is not running.",
            "It is restarted within a second; if it is not, see the server log and \"max_worker_processes\"."};
  const bool stopping = status.view.phase == Phase::kReleasing || status.view.phase == Phase::kStopped;
  if (status.leased && !stopping) {
    const Diagnosis diagnosis = DiagnoseLease(status, in_full);
    return diagnosis.state != nullptr ? diagnosis : OfHealth(status);
  }
  const char* failure = status.view.source_error == 0 ? nullptr : FileFailure(status.view.source_error, in_full);
  switch (status.view.phase) {
    case Phase::kIdle:
      return {"idle", "Nobody has asked for an id yet, and there is no trace of earlier ones.",
              "CREATE EXTENSION idgen declares the server new; ids flow then."};
    case Phase::kWaiting:
    case Phase::kRefused: return OfWait(status.view);
    case Phase::kClaiming:
    case Phase::kSecuring:
      if (failure != nullptr) return {"failing", failure, kFileAdvice};
      return {"starting", "The background worker is finding out where ids may go on.", nullptr};
    case Phase::kReplacing: return {"starting", "The background worker is giving up its previous worker id.", nullptr};
    case Phase::kReleasing:
    case Phase::kStopped: return {"stopped", "The background worker is ending.", nullptr};
    case Phase::kHolding: break;
  }
  if (failure != nullptr) return {"failing", failure, kFileAdvice};
  if (!status.worker_id.had) return {"refused", WhyNoWorkerId(status, in_full), WorkerIdAdvice()};
  return OfHealth(status);
}

TimestampTz ClockRightAt(int64 ahead_us) {
  // A part of the time gone by, but at a turn of the worker not more than half of max_ahead.
  using Keeper = lease::Keeper<core::PlainMemory>;
  const int64_t most_us = CurrentSettings().max_ahead_ms * core::kUsPerMs / 2;
  const auto slew_us = [most_us](int64 by_us, int64 divisor) {
    return by_us / Min(Keeper::kFollowEveryUs / divisor, most_us) * Keeper::kFollowEveryUs;
  };
  const int64 fast_us = Max(ahead_us - core::kFastSlewAboveUs, int64{0});
  return GetCurrentTimestamp() + slew_us(fast_us, core::kFastSlewDivisor) +
         slew_us(ahead_us - fast_us, core::kSlewDivisor);
}

}  // namespace idgen::pg
