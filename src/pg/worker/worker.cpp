// The worker's loop: read the clocks and the settings, let the keeper take its turn, carry out its requests to the
// identity source, and sleep on the latch and the source's connection.
#include "pg/worker/worker.h"

#include "pg/base/locks.h"
#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/base/wait.h"
#include "pg/lease/settings.h"
#include "pg/status/diagnosis.h"
#include "pg/worker/delay_log.h"
#include "pg/worker/event_log.h"
#include "pg/worker/static_presence.h"
#include "pg/worker/worker_id.h"

#include "io/ceiling_file.h"
#include "io/clock.h"
#include "io/token.h"
#include "lease/keeper.h"
#include "lease/lease_source.h"
#include "lease/noted_source.h"
#include "lease/static_source.h"
#include "lease/stores.h"

#include <cstring>

namespace idgen::pg {
namespace {

using Keeper = lease::Keeper<core::PlainMemory>;
using lease::Event;

// Numbers that no lease's key has.
constexpr uint64 kStaticSource = 0;
constexpr uint64 kNoSource = 1;  // the settings ask for a lease, but have never named a valid store

// At most this long does a stop wait for the store; after that the lease expires by itself.
constexpr int64 kReleaseWithinUs = 500 * core::kUsPerMs;

// During recovery the server looks for the end of it this often. A backend that wants an id wakes the worker sooner.
constexpr int64 kPromotionPollMs = 200;

// No timeline, which is 0, during recovery.
io::ClusterId ThisCluster(bool in_recovery) {
  return {.system_identifier = GetSystemIdentifier(),
          .timeline = in_recovery ? 0 : GetWALInsertionTimeLine(),
          .backup = io::BackupOf(io::PosixDisk(), DataDir)};
}

// The worker's state. Trivially destructible, because an error may leave its frame by longjmp.
class Service {
 public:
  Service(Shared& shared, bool in_recovery) : Service(shared, in_recovery, ThisCluster(in_recovery)) {}

  // Returns the longest time to sleep, in milliseconds.
  long Turn(bool stop);
  // What ends the sleep sooner.
  io::Wants wants() const noexcept;
  void ReadSettings();
  bool stopped() const noexcept { return keeper_.stopped(); }

 private:
  Service(Shared& shared, bool in_recovery, const io::ClusterId& cluster)
      : shared_(shared),
        in_recovery_(in_recovery),
        file_(io::PosixDisk(), DataDir, static_cast<unsigned>(pg_file_create_mode)),
        static_source_(file_, cluster),
        lease_source_(store_, shared.lease_memo, io::MakeToken),
        noted_source_(lease_source_, file_, cluster),
        presence_(shared),
        event_log_(shared, file_.path()),
        keeper_(shared.server, io::ReadInstant(), Origin()) {
    UseSource();
  }

  lease::Origin Origin();
  void NoticePromotion();
  void LookAtFile();
  bool ReadLeaseSettings();
  void UseSource();
  lease::IdentitySource& source() noexcept;
  static bool IsLease(uint64 source) noexcept { return source != kStaticSource; }
  bool leased() const noexcept { return IsLease(source_); }
  void ShowView();
  void NoteSince();

  Shared& shared_;
  bool in_recovery_;
  io::CeilingFile file_;
  lease::StaticSource static_source_;
  lease::ConfiguredLeaseStore store_;
  lease::LeaseSource lease_source_;
  lease::NotedSource noted_source_;
  StaticPresence presence_;
  uint64 source_ = kStaticSource;  // the source that requests go to
  uint64 wanted_ = kStaticSource;  // the source that the settings select
  LeaseConfig lease_config_ = {};  // of `source_`
  LeaseConfig wanted_config_ = {};
  WorkerId worker_id_ = {};
  char settings_problem_[256] = {};
  int seen_failures_ = 0;
  int64 resolved_at_us_ = 0;
  int64 looked_at_us_ = 0;  // at the local file, during recovery
  lease::NotedPast if_promoted_ = {};
  EventLog event_log_;
  DelayLog delay_log_;
  Keeper keeper_;  // after the members that Origin() reads
};
static_assert(std::is_trivially_destructible_v<Service>);

// Whether the previous worker, if any, held the identity that the settings select now.
lease::Origin Service::Origin() {
  ReadSettings();
  const bool has_identity = shared_.server.identity.load() != 0 || shared_.server.withheld.load() != 0;
  return lease::OriginOf(shared_.lease_memo, has_identity, shared_.source, wanted_, IsLease(wanted_));
}

void Service::ReadSettings() {
  resolved_at_us_ = io::BootUs();
  presence_.ReadSettings();
  const WorkerId before = worker_id_;
  worker_id_ = {};
  settings_problem_[0] = '\0';
  if (in_recovery_ && !LeasesOnStandby()) {
    wanted_ = kNoSource;
    return;
  }
  if (WorkerNumberSource() == lease::NumberSource::kLease) {
    strlcpy(worker_id_.source, "lease", sizeof worker_id_.source);
    if (!ReadLeaseSettings() && wanted_ == kStaticSource) wanted_ = kNoSource;
    worker_id_.had = wanted_ != kNoSource;
    if (!worker_id_.had) strlcpy(worker_id_.problem, settings_problem_, sizeof worker_id_.problem);
    if (*settings_problem_ != '\0' && worker_id_.had)
      ereport(LOG, (errmsg("idgen: keeping the previous settings"), errdetail("%s", settings_problem_)));
  } else {
    worker_id_ = ResolveWorkerId();
    wanted_ = kStaticSource;
  }
  if (worker_id_.had || strcmp(worker_id_.problem, before.problem) == 0) return;
  ereport(LOG, (errmsg("idgen: no worker id"), errdetail("%s", worker_id_.problem)));
  RememberError(shared_, worker_id_.problem);
}

bool Service::ReadLeaseSettings() {
  LeaseConfig config;
  if (!ReadLeaseConfig(&config, settings_problem_, sizeof settings_problem_)) return false;
  wanted_config_ = config;
  wanted_ = config.Key();
  // The same lease, perhaps with another password or other times.
  if (source_ == wanted_) UseSource();
  return true;
}

void Service::UseSource() {
  source_ = shared_.source = wanted_;
  store_.Close();
  if (!leased() || source_ == kNoSource) return noted_source_.SetRules({});
  lease_config_ = wanted_config_;
  const lease::IdSettings settings = CurrentIdSettings();
  const lease::StartRule rule{.max_ahead_ms = settings.max_ahead_ms,
                              .window_ms = Max(settings.window_ms, lease_config_.window_ms)};
  noted_source_.SetRules(
      {.source = source_, .margin_ms = lease_config_.window_ms / 2, .uncertain_lead_ms = rule.UncertainLeadMs()});
  store_.Configure(lease_config_.StoreSettings());
  lease_source_.SetRules({.source = source_, .ttl_ms = lease_config_.ttl_ms, .release_within_us = kReleaseWithinUs});
  lease_source_.Resubmit(io::ReadInstant());
}

void Service::NoticePromotion() {
  if (!in_recovery_ || RecoveryInProgress()) return;
  in_recovery_ = false;
  shared_.awaits_promotion.store(0);
  const io::ClusterId cluster = ThisCluster(/*in_recovery=*/false);
  static_source_.SetCluster(cluster);
  noted_source_.SetCluster(cluster);
  ReadSettings();
}

// During recovery, for the status: whether the local file would delay a promoted server.
void Service::LookAtFile() {
  const int64 boot_us = io::BootUs();
  if (!in_recovery_ || !keeper_.view().withheld || boot_us - looked_at_us_ < 5 * core::kUsPerSecond) return;
  looked_at_us_ = boot_us;
  if_promoted_ = noted_source_.PastIfPromoted(io::ReadInstant());
}

lease::IdentitySource& Service::source() noexcept {
  if (leased()) return noted_source_;
  return static_source_;
}

long Service::Turn(bool stop) {
  NoticePromotion();
  // The host's name or address may be set after the server has started, so retry.
  if (!worker_id_.had && io::BootUs() - resolved_at_us_ > core::kUsPerSecond) ReadSettings();

  if (keeper_.view().source != source_) UseSource();
  lease::Wishes wishes;
  wishes.settings = CurrentIdSettings();
  wishes.source = wanted_;
  wishes.leased = IsLease(wanted_);
  wishes.has_worker = worker_id_.had;
  wishes.worker = worker_id_.number;
  wishes.asked_for = shared_.asked_for.load() != 0;
  wishes.in_recovery = in_recovery_;
  wishes.forget_floor = shared_.forget_floor.exchange(0) != 0;
  wishes.stop = stop;
  if (leased() && source_ != kNoSource) {
    wishes.settings.window_ms = lease_config_.window_ms;
    wishes.settings.renew_every_us = lease::LeaseSource::RenewEveryUs(lease_config_.ttl_ms, lease_config_.window_ms);
    // The three settings were validated together, but max_ahead may have changed without the others.
    wishes.settings.max_ahead_ms = Min(wishes.settings.max_ahead_ms, lease_config_.ttl_ms - lease_config_.window_ms);
  }

  AcquireLock(&shared_.lock, LW_EXCLUSIVE);
  const lease::SourceRequest request = keeper_.Advance(io::ReadInstant(), wishes);
  LWLockRelease(&shared_.lock);

  if (request.kind == lease::SourceRequest::Kind::kRaise && file_.CloseIfGone())
    ereport(LOG, (errmsg("idgen: file \"%s\" was removed or replaced; it is written again", file_.path())));
  if (request.kind != lease::SourceRequest::Kind::kNone) source().Submit(request, io::ReadInstant());
  lease::SourceAnswer answer;
  while (source().Poll(io::ReadInstant(), &answer)) {
    AcquireLock(&shared_.lock, LW_EXCLUSIVE);
    keeper_.Receive(answer, io::ReadInstant());
    LWLockRelease(&shared_.lock);
  }
  NoteSince();
  LookAtFile();
  presence_.Turn(!leased() && !IsLease(wanted_) && !stop);
  ShowView();
  keeper_.DrainEvents([this](const Event& event) { event_log_.Log(event); });
  event_log_.LogLastingLease();
  event_log_.LogCluster(lease_source_.view());
  delay_log_.Check(shared_);
  // When this server stops, its presence ends: that says nothing about the other server or the store.
  if (!stop)
    event_log_.LogPresence(leased() ? lease::PresenceView{.answered = true, .rival = lease_source_.view().rival}
                                    : presence_.view());
  int64 sleep_us = Min(keeper_.view().sleep_us, Max(wants().wake_boot_us - io::BootUs(), int64{0}));
  if (in_recovery_) sleep_us = Min(sleep_us, kPromotionPollMs * core::kUsPerMs);
  return static_cast<long>((sleep_us + core::kUsPerMs - 1) / core::kUsPerMs);
}

io::Wants Service::wants() const noexcept {
  return leased() ? lease_source_.wants(io::BootUs()) : presence_.wants(io::BootUs());
}

// Records since when this server has its worker id: since its floor if that is new, or since now if a reload replaced
// the worker id.
void Service::NoteSince() {
  const core::Identity identity(shared_.server.identity.load());
  const int64 floor_ms = keeper_.view().floor_ms;
  if (!identity || (floor_ms == shared_.since_floor_ms && identity.worker() == shared_.since_worker)) return;
  const int64 now_us = io::BootUs() + core::ClockOffsetUs<core::PlainMemory>(shared_.server);
  shared_.worker_since_ms.store(
      static_cast<uint64>(floor_ms != shared_.since_floor_ms ? floor_ms : core::MsOf(now_us)));
  shared_.since_floor_ms = floor_ms;
  shared_.since_worker = identity.worker();
}

void Service::ShowView() {
  AcquireLock(&shared_.lock, LW_EXCLUSIVE);
  WorkerStatus& status = shared_.status;
  status.view = keeper_.view();
  status.worker_id = worker_id_;
  status.worker_id_chosen = WorkerNumberSource() != lease::NumberSource::kStatic || WorkerIdIsChosen();
  status.leased = WorkerNumberSource() == lease::NumberSource::kLease;
  status.if_promoted = if_promoted_;
  status.lease_ttl_ms = lease_config_.ttl_ms;
  const char* advice = store_.advice();
  strlcpy(status.store_advice, advice != nullptr ? advice : "", sizeof status.store_advice);
  const char* failure_advice = store_.failure_advice();
  strlcpy(status.store_failure_advice, failure_advice != nullptr ? failure_advice : "",
          sizeof status.store_failure_advice);
  status.lease = lease_source_.view();
  status.rival = leased() ? status.lease.rival : presence_.view().rival;
  status.presence_fails = !leased() && presence_.view().failures > 0;
  strlcpy(status.settings_problem, settings_problem_, sizeof status.settings_problem);
  // Of consecutive failures the log has the first, the status the last.
  if (leased() && status.lease.failures > seen_failures_) {
    snprintf(status.last_error, sizeof status.last_error, "lease store failed: %s", status.lease.problem);
    status.last_error_at = GetCurrentTimestamp();
  }
  seen_failures_ = status.lease.failures;
  LWLockRelease(&shared_.lock);
}

void Detach(int, Datum) {
  Shared* shared = SharedState();
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  shared->status.pid = 0;
  shared->status.latch = nullptr;
  LWLockRelease(&shared->lock);
}

void Attach(Shared& shared) {
  AcquireLock(&shared.lock, LW_EXCLUSIVE);
  shared.status.latch = MyLatch;
  LWLockRelease(&shared.lock);
  before_shmem_exit(Detach, Int32GetDatum(0));
}

// From now on the worker's status is that of a worker that runs.
void BeginToServe(Shared& shared) {
  AcquireLock(&shared.lock, LW_EXCLUSIVE);
  shared.status.pid = MyProcPid;
  LWLockRelease(&shared.lock);
}

// On a standby that does not lease in advance there is nothing to do before the promotion.
bool IsIdleStandby() { return RecoveryInProgress() && !LeasesOnStandby(); }

// In single-user mode the only backend is its own worker.
Service* own_service = nullptr;

void StopOwnService(int, Datum) {
  while (!own_service->stopped())
    if (own_service->Turn(/*stop=*/true) > 0) pg_usleep(1000);
}

void TurnInSingleUserMode(Shared& shared) {
  static char memory[sizeof(Service)] alignas(Service);
  if (own_service == nullptr) {
    Attach(shared);
    BeginToServe(shared);
    own_service = new (memory) Service(shared, /*in_recovery=*/false);
    before_shmem_exit(StopOwnService, Int32GetDatum(0));
  }
  while (own_service->Turn(/*stop=*/false) == 0) {
  }
}

}  // namespace

bool NobodyWillServe() {
  if (RecoveryInProgress() || IsBinaryUpgrade) return true;
  const WorkerStatus status = CopyStatus(*SharedState());
  return status.view.phase == lease::Phase::kRefused ||
         (!status.worker_id.had && (status.leased || status.view.phase == lease::Phase::kHolding));
}

void AskWorker() {
  Shared& shared = *SharedState();
  const bool is_promoted = shared.awaits_promotion.load() != 0 && !RecoveryInProgress();
  if (shared.asked_for.exchange(1) == 0 || is_promoted || !IsUnderPostmaster) WakeWorker();
}

void WakeWorker() {
  Shared& shared = *SharedState();
  if (!IsUnderPostmaster) return TurnInSingleUserMode(shared);
  AcquireLock(&shared.lock, LW_SHARED);
  if (shared.status.latch != nullptr) SetLatch(shared.status.latch);
  LWLockRelease(&shared.lock);
}

void RegisterWorker() {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  strlcpy(worker.bgw_name, "idgen worker", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "idgen worker", BGW_MAXLEN);
  strlcpy(worker.bgw_library_name, "idgen", BGW_MAXLEN);
  strlcpy(worker.bgw_function_name, "idgen_worker_main", BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
  // On a hot standby, too, where it holds a lease in advance or waits for the promotion: a static worker id may be in
  // use on the primary. Without hot standby it starts when recovery has finished.
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = 1;
  RegisterBackgroundWorker(&worker);
}

}  // namespace idgen::pg

extern "C" PGDLLEXPORT void idgen_worker_main(Datum) {
  using namespace idgen::pg;
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  BackgroundWorkerUnblockSignals();

  const uint32 wait_event = NewWaitEvent("IdgenWorkerMain");
  MemoryContext turn_context = AllocSetContextCreate(TopMemoryContext, "idgen worker turn", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(turn_context);
  Shared& shared = *SharedState();
  Attach(shared);
  shared.awaits_promotion.store(RecoveryInProgress() ? 1 : 0);
  while (IsIdleStandby() && !ShutdownRequestPending) {
    WaitOnLatchAnd({}, kPromotionPollMs, wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (!ConfigReloadPending) continue;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
  if (ShutdownRequestPending) proc_exit(1);
  BeginToServe(shared);
  const bool in_recovery = RecoveryInProgress();
  if (!in_recovery) shared.awaits_promotion.store(0);
  Service service(shared, in_recovery);
  while (!service.stopped()) {
    const long sleep_ms = service.Turn(ShutdownRequestPending);
    MemoryContextReset(turn_context);
    if (sleep_ms > 0 && !service.stopped()) WaitOnLatchAnd(service.wants(), sleep_ms, wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      service.ReadSettings();
    }
  }
  proc_exit(1);  // after 0 the postmaster would not restart it
}
