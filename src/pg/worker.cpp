// The worker's loop: read the clocks and the wishes, let the keeper take its turn, carry out what it asks of the
// identity source, tell what happened, sleep on the latch.
#include "pg/worker.h"

#include "pg/describe.h"
#include "pg/settings.h"
#include "pg/shmem.h"
#include "pg/watch.h"
#include "pg/worker_id.h"

#include "io/ceiling_file.h"
#include "io/clock.h"
#include "lease/keeper.h"
#include "lease/static_source.h"

#include <cstring>

namespace idgen::pg {
namespace {

using Keeper = lease::Keeper<core::PlainMemory>;
using lease::Event;

io::ClusterId ThisCluster() {
  return {.system_identifier = GetSystemIdentifier(), .timeline = GetWALInsertionTimeLine()};
}

// What a turn needs. Everything in it is trivially destructible: an error may leave its frame by longjmp.
class Service {
 public:
  Service(Shared& shared, const io::ClusterId& cluster)
      : shared_(shared),
        file_(io::PosixDisk(), DataDir, static_cast<unsigned>(pg_file_create_mode)),
        source_(file_, cluster),
        keeper_(shared.server, io::ReadInstant()) {
    ReadSettings();
  }

  // Returns for how long to sleep at most, in milliseconds.
  long Turn(bool stop);
  void ReadSettings();
  bool stopped() const noexcept { return keeper_.stopped(); }

 private:
  void Tell(const Event& event);
  void CountStepBack(int64 by_us);
  void RememberError(const char* text);
  void ShowView();

  Shared& shared_;
  io::CeilingFile file_;
  lease::StaticSource source_;
  Keeper keeper_;
  WorkerId worker_id_ = {};
  int64 resolved_at_us_ = 0;
  Watch watch_;
};
static_assert(std::is_trivially_destructible_v<Service>);

void Service::ReadSettings() {
  const WorkerId before = worker_id_;
  worker_id_ = ResolveWorkerId();
  resolved_at_us_ = io::BootUs();
  if (worker_id_.had || strcmp(worker_id_.problem, before.problem) == 0) return;
  ereport(LOG, (errmsg("idgen has no worker id: %s", worker_id_.problem)));
  RememberError(worker_id_.problem);
}

long Service::Turn(bool stop) {
  // An address or a host name may come after the server: it is looked for until it is there.
  if (!worker_id_.had && io::BootUs() - resolved_at_us_ > core::kUsPerSecond) ReadSettings();

  lease::Wishes wishes;
  wishes.settings = CurrentSettings();
  wishes.has_worker = worker_id_.had;
  wishes.worker = worker_id_.number;
  wishes.asked_for = shared_.asked_for.load() != 0;
  wishes.forget_floor = shared_.forget_floor.exchange(0) != 0;
  wishes.stop = stop;

  LWLockAcquire(shared_.lock, LW_EXCLUSIVE);
  const lease::Request request = keeper_.Advance(io::ReadInstant(), wishes);
  LWLockRelease(shared_.lock);

  if (request.kind == lease::Request::Kind::kRaise && file_.CloseIfGone())
    ereport(LOG, (errmsg("idgen: the file \"%s\" was removed or replaced; it is written anew", file_.path())));
  if (request.kind != lease::Request::Kind::kNone) source_.Submit(request);
  lease::Answer answer;
  while (source_.Poll(&answer)) {
    LWLockAcquire(shared_.lock, LW_EXCLUSIVE);
    keeper_.Take(answer, io::ReadInstant());
    LWLockRelease(shared_.lock);
  }
  keeper_.DrainEvents([this](const Event& event) { Tell(event); });
  ShowView();
  watch_.Look(shared_);
  return static_cast<long>(keeper_.view().sleep_us / core::kUsPerMs);
}

void Service::ShowView() {
  LWLockAcquire(shared_.lock, LW_EXCLUSIVE);
  shared_.status.view = keeper_.view();
  shared_.status.worker_id = worker_id_;
  shared_.status.worker_id_chosen = WorkerNumberSource() != lease::NumberSource::kStatic || WorkerIdIsChosen();
  LWLockRelease(shared_.lock);
}

void Service::CountStepBack(int64 by_us) {
  LWLockAcquire(shared_.lock, LW_EXCLUSIVE);
  shared_.status.steps_back++;
  shared_.status.largest_step_back_us = Max(shared_.status.largest_step_back_us, by_us);
  LWLockRelease(shared_.lock);
}

void Service::RememberError(const char* text) {
  LWLockAcquire(shared_.lock, LW_EXCLUSIVE);
  strlcpy(shared_.status.last_error, text, sizeof shared_.status.last_error);
  shared_.status.last_error_at = GetCurrentTimestamp();
  LWLockRelease(shared_.lock);
}

const char* PastText(lease::Past past) {
  switch (past) {
    case lease::Past::kMissing: return "is missing";
    case lease::Past::kDamaged: return "is damaged";
    case lease::Past::kCopied: return "is a copy: the data directory was copied";
    case lease::Past::kOtherSystem: return "is another cluster's";
    case lease::Past::kPromoted:
      return "is from another timeline: the server was promoted or recovered to a point in time";
    case lease::Past::kKnown:
    case lease::Past::kNew: break;
  }
  return "is this server's";
}

void Service::Tell(const Event& event) {
  const auto seconds = [&event] { return static_cast<double>(event.by_us) / core::kUsPerSecond; };
  switch (event.kind) {
    case Event::Kind::kPublished:
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
      const char* text = psprintf("the file \"%s\" %s", file_.path(), PastText(event.past));
      ereport(LOG, (errmsg("idgen: %s", text),
                    errdetail("Ids will be later than %s, above what can have been issued before.",
                              TimeText(event.floor_ms))));
      RememberError(text);
      break;
    }
    case Event::Kind::kHeldBack: {
      WorkerStatus status = CopyStatus(shared_);
      status.view = keeper_.view();
      const Diagnosis diagnosis = Diagnose(status);
      ereport(LOG, (errmsg("idgen does not issue ids yet"), errdetail("%s", diagnosis.reason),
                    errhint("%s", diagnosis.advice)));
      break;
    }
    case Event::Kind::kFloorForgotten:
      ereport(LOG, (errmsg("idgen gives up the floor %s, as the operator asked", TimeText(event.floor_ms))));
      break;
    case Event::Kind::kSourceFailed: {
      const char* text = psprintf("could not read or write \"%s\": %s", file_.path(), strerror(event.error));
      ereport(LOG, (errmsg("idgen: %s", text), errdetail("Tried again until it succeeds; this is logged once.")));
      RememberError(text);
      break;
    }
    case Event::Kind::kSourceRecovered:
      ereport(LOG, (errmsg("idgen: \"%s\" can be read and written again", file_.path())));
      break;
    case Event::Kind::kClockBack:
      CountStepBack(event.by_us);
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
      ereport(LOG, (errmsg("idgen stopped issuing ids"),
                    errdetail("The next start goes on at %s.", TimeText(event.floor_ms))));
      break;
  }
}

void Detach(int, Datum) {
  Shared* shared = SharedState();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  shared->status.pid = 0;
  shared->status.latch = nullptr;
  LWLockRelease(shared->lock);
}

void Attach(Shared& shared) {
  LWLockAcquire(shared.lock, LW_EXCLUSIVE);
  shared.status.pid = MyProcPid;
  shared.status.latch = MyLatch;
  LWLockRelease(shared.lock);
  before_shmem_exit(Detach, Int32GetDatum(0));
}

// Single-user mode: the one backend is its own worker.
Service* own_service = nullptr;

void StopOwnService(int, Datum) {
  while (!own_service->stopped()) own_service->Turn(/*stop=*/true);
}

void TurnInSingleUserMode(Shared& shared) {
  static char memory[sizeof(Service)] alignas(Service);
  if (own_service == nullptr) {
    Attach(shared);
    own_service = new (memory) Service(shared, ThisCluster());
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
         (status.view.phase == lease::Phase::kHolding && !status.worker_id.had);
}

void AskWorker() {
  Shared& shared = *SharedState();
  if (shared.asked_for.exchange(1) == 0 || !IsUnderPostmaster) WakeWorker();
}

void WakeWorker() {
  Shared& shared = *SharedState();
  if (!IsUnderPostmaster) return TurnInSingleUserMode(shared);
  LWLockAcquire(shared.lock, LW_SHARED);
  if (shared.status.latch != nullptr) SetLatch(shared.status.latch);
  LWLockRelease(shared.lock);
}

void RegisterWorker() {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  strlcpy(worker.bgw_name, "idgen worker", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "idgen worker", BGW_MAXLEN);
  strlcpy(worker.bgw_library_name, "idgen", BGW_MAXLEN);
  strlcpy(worker.bgw_function_name, "idgen_worker_main", BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
  // A static worker id belongs to the primary: on a standby the worker waits for the promotion.
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
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
  Attach(*SharedState());
  Service service(*SharedState(), ThisCluster());
  while (!service.stopped()) {
    const long sleep_ms = service.Turn(ShutdownRequestPending);
    MemoryContextReset(turn_context);
    if (sleep_ms > 0 && !ShutdownRequestPending)
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, sleep_ms, wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      service.ReadSettings();
    }
  }
  proc_exit(1);  // 0 would mean: never start it again
}
