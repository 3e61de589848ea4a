// The life of the process that fetches segments: wait to be asked, fetch, and at the end give back.
//
// Apart from the worker that keeps the worker id: that one waits for the disk, and nobody's values should wait for it;
// and this one syncs marks, for which no lease should wait.
#include "pg/sequences/segment_worker.h"

#include "io/clock.h"
#include "pg/sequences/mark_file.h"
#include "pg/sequences/segments.h"
#include "pg/sequences/sequence_store.h"
#include "pg/base/log_limit.h"

namespace idgen::pg {
namespace {

using core::PlainMemory;

constexpr int64 kAskAgainUs = 10 * core::kUsPerSecond;  // for the process, where it does not come
constexpr int64 kSyncEveryUs = 200 * core::kUsPerMs;    // as PostgreSQL's WAL writer
constexpr int64 kPauseUs = core::kUsPerSecond;          // after the store did not answer
// The end of the server waits so long at the most; what is not given back by then is lost.
constexpr int64 kGiveBackWithinUs = 500 * core::kUsPerMs;

volatile sig_atomic_t is_asking = false;

// An answer that is being waited for is not waited for any longer.
void Stop(SIGNAL_ARGS) {
  (void)postgres_signal_arg;
  const int saved_errno = errno;
  // The postmaster signals the process and its group: the second time it may be giving back already.
  if (is_asking && !ShutdownRequestPending) {
    InterruptPending = true;
    QueryCancelPending = true;
  }
  ShutdownRequestPending = true;
  SetLatch(MyLatch);
  errno = saved_errno;
}

// Calls what may raise. False, with the error gone, if it did: `problem` says it then. A stop ends it, also one that
// came before it began, unless `at_end`.
template <class Call>
bool Attempt(char* problem, Size problem_size, bool at_end, const Call& call) {
  const MemoryContext context = CurrentMemoryContext;
  volatile bool done = true;
  is_asking = true;
  PG_TRY();
  {
    // Set before the flag is read, so that a signal either finds it or is found.
    pg_memory_barrier();
    if (ShutdownRequestPending && !at_end) ereport(ERROR, (errmsg("the server stops")));
    call();
  }
  PG_CATCH();
  {
    ConditionVariableCancelSleep();
    MemoryContextSwitchTo(context);
    ErrorData* error = CopyErrorData();
    FlushErrorState();
    const char* detail = error->detail_log != nullptr ? error->detail_log : error->detail;
    snprintf(problem, problem_size, detail != nullptr ? "%s: %s" : "%s", error->message, detail);
    FreeErrorData(error);
    done = false;
  }
  PG_END_TRY();
  is_asking = false;
  QueryCancelPending = false;
  return done;
}

void Detach(int, Datum) {
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  table.worker_pid = 0;
  table.latch = nullptr;
  LWLockRelease(table.lock);
}

// False where another is there.
bool Attach() {
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  const bool is_first = table.worker_pid == 0;
  if (is_first) {
    table.worker_pid = MyProcPid;
    table.latch = MyLatch;
    // Who asked before it came will not ask again, and one before it may have taken something out of the queue and
    // gone.
    table.queue_head = table.queue_tail;
    for (int i = 0; i < table.used_count; ++i) {
      SegmentPlace& place = table.places[i];
      const bool is_low =
          sequencer::IsLow<PlainMemory>(place.segments) && table.queue_tail - table.queue_head < SegmentTable::kQueue;
      place.wanted.store(is_low ? 1 : 0);
      if (is_low) table.queue[table.queue_tail++ % SegmentTable::kQueue] = i;
    }
  }
  LWLockRelease(table.lock);
  if (is_first) before_shmem_exit(Detach, Datum{0});
  return is_first;
}

// nullptr where nothing is wanted.
SegmentPlace* NextWanted() {
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  SegmentPlace* place = nullptr;
  if (table.queue_head != table.queue_tail)
    place = &table.places[table.queue[table.queue_head++ % SegmentTable::kQueue]];
  LWLockRelease(table.lock);
  return place;
}

void WantAgain(SegmentPlace& place) {
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  const bool has_room = table.queue_tail - table.queue_head < SegmentTable::kQueue;
  if (has_room) table.queue[table.queue_tail++ % SegmentTable::kQueue] = static_cast<int32>(&place - table.places);
  place.wanted.store(has_room ? 1 : 0);
  LWLockRelease(table.lock);
}

// Fetches the next segment, where it is still wanted. False where the store did not answer.
bool Serve(SegmentPlace& place) {
  static LogLimit limit;
  SegmentTable& table = *Segments();
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  const bool is_wanted =
      place.store == StoreIdentity() && sequencer::IsLow<PlainMemory>(place.segments) && BeginFetch(place);
  if (!is_wanted) place.wanted.store(0);
  LWLockRelease(table.lock);
  if (!is_wanted) return true;
  char problem[512];
  if (Attempt(problem, sizeof problem, false, [&place] { Fetch(place, 0, true, io::BootUs() + StoreTimeoutUs()); }))
    return true;
  if (!ShutdownRequestPending && limit.Allows(io::BootUs()))
    ereport(LOG, (errmsg("idgen cannot fetch values of sequences ahead: %s", problem),
                  errhint("Sessions ask the store themselves when they run out.")));
  WantAgain(place);
  return false;
}

void GiveAllBack() {
  SegmentTable& table = *Segments();
  const int64 until_us = io::BootUs() + kGiveBackWithinUs;
  static ReturnedRest rest;
  for (int i = 0; i < table.used_count && io::BootUs() < until_us; ++i) {
    LWLockAcquire(table.lock, LW_EXCLUSIVE);
    ClosePlace(table.places[i], &rest);
    LWLockRelease(table.lock);
    char problem[512];
    if (!Attempt(problem, sizeof problem, true, [until_us] { GiveBack(rest, until_us); })) return;
  }
}

// The marks of transactions that did not wait for the disk. How long until it looks again; -1 where there is nothing.
int64 SyncNowAndThen() {
  static int64 synced_at_us = 0;
  static LogLimit limit;
  SegmentTable& table = *Segments();
  if (table.wants_sync.load() == 0) return -1;
  const int64 wait_us = synced_at_us + kSyncEveryUs - io::BootUs();
  if (wait_us > 0) return wait_us;
  table.wants_sync.store(0);
  char problem[512];
  const bool done = Attempt(problem, sizeof problem, false, [] { SyncAllMarks(); });
  synced_at_us = io::BootUs();
  if (done) return -1;
  table.wants_sync.store(1);
  if (!ShutdownRequestPending && limit.Allows(synced_at_us))
    ereport(LOG, (errmsg("idgen cannot record how far sequences have come: %s", problem)));
  return kPauseUs;
}

// Until asked, or `ms` have passed; for ever with -1.
void Wait(long ms, uint32 wait_event) {
  WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (ms >= 0 ? WL_TIMEOUT : 0), ms, wait_event);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
}

}  // namespace

void KeepSegmentWorker() {
  SegmentTable& table = *Segments();
  if (!IsUnderPostmaster || table.worker_pid != 0) return;
  LWLockAcquire(table.lock, LW_EXCLUSIVE);
  const int64 now_us = io::BootUs();
  const bool is_mine =
      table.worker_pid == 0 && (table.started_at_us == 0 || now_us - table.started_at_us > kAskAgainUs);
  if (is_mine) table.started_at_us = now_us;
  LWLockRelease(table.lock);
  if (!is_mine) return;
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  strlcpy(worker.bgw_name, "idgen segments", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "idgen segments", BGW_MAXLEN);
  strlcpy(worker.bgw_library_name, "idgen", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "idgen_segments_main", BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  // Without one, sessions fetch for themselves.
  RegisterDynamicBackgroundWorker(&worker, nullptr);
}

bool AskForSync() {
  SegmentTable& table = *Segments();
  KeepSegmentWorker();
  LWLockAcquire(table.lock, LW_SHARED);
  const bool is_there = table.latch != nullptr;
  if (is_there) {
    table.wants_sync.store(1);
    SetLatch(table.latch);
  }
  LWLockRelease(table.lock);
  return is_there;
}

}  // namespace idgen::pg

extern "C" PGDLLEXPORT void idgen_segments_main(Datum) {
  using namespace idgen;
  using namespace idgen::pg;
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, Stop);
  BackgroundWorkerUnblockSignals();
  if (Segments() == nullptr || !Attach()) proc_exit(0);

  const uint32 wait_event = NewWaitEvent("IdgenSegmentsMain");
  const MemoryContext turn_context =
      AllocSetContextCreate(TopMemoryContext, "idgen segments turn", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(turn_context);
  int64 pause_until_us = 0;
  while (!ShutdownRequestPending) {
    const int64 sync_us = SyncNowAndThen();  // first: there may always be something wanted
    int64 pause_us = pause_until_us - io::BootUs();
    SegmentPlace* wanted = pause_us > 0 ? nullptr : NextWanted();
    if (wanted == nullptr) {
      if (sync_us > 0 && (pause_us <= 0 || sync_us < pause_us)) pause_us = sync_us;
      Wait(pause_us > 0 ? static_cast<long>(pause_us / core::kUsPerMs + 1) : -1, wait_event);
    } else if (!Serve(*wanted)) {
      pause_until_us = io::BootUs() + kPauseUs;
    }
    MemoryContextReset(turn_context);
  }
  GiveAllBack();
  proc_exit(0);
}
