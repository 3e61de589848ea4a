// The prefetcher: waits for requests, fetches segments, and returns remainders to the store at the end.
//
// It is separate from the worker that keeps the worker id: that one waits for the disk, and values should not wait for
// it; this one syncs marks, and leases should not wait for that.
#include "pg/sequence_host/prefetcher.h"

#include "io/clock.h"
#include "io/transport.h"
#include "pg/base/locks.h"
#include "pg/base/log_limit.h"
#include "pg/sequence_host/host.h"
#include "pg/sequences/sequence_store.h"
#include "sequencer/prefetch.h"

namespace idgen::pg {
namespace {

constexpr int64 kStartAgainUs = 10 * core::kUsPerSecond;  // after a start that had no effect
constexpr int64 kSyncEveryUs = 200 * core::kUsPerMs;      // as PostgreSQL's WAL writer
constexpr int64 kPauseUs = core::kUsPerSecond;            // after the store did not answer
constexpr int64 kReturnWithinUs = 500 * core::kUsPerMs;   // the server's stop waits no longer

volatile sig_atomic_t is_asking = false;

// Cancels a request to the store that is in progress.
void Stop(SIGNAL_ARGS) {
  (void)postgres_signal_arg;
  const int saved_errno = errno;
  // The postmaster signals the process and its group; by the second time it may be returning remainders already.
  if (is_asking && !ShutdownRequestPending) {
    InterruptPending = true;
    QueryCancelPending = true;
  }
  ShutdownRequestPending = true;
  SetLatch(MyLatch);
  errno = saved_errno;
}

// Calls what may raise. False if it did: the error is cleared, and `problem` describes it. A stop cancels it, even one
// that came before it began, unless `at_stop`.
template <class Call>
bool Attempt(char* problem, Size problem_size, bool at_stop, const Call& call) {
  const MemoryContext context = CurrentMemoryContext;
  volatile bool done = true;
  is_asking = true;
  PG_TRY();
  {
    // Set before the flag is read, so that a signal either finds it or is found.
    pg_memory_barrier();
    if (ShutdownRequestPending && !at_stop)
      ereport(ERROR, (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("server is shutting down")));
    call();
  }
  PG_CATCH();
  {
    ConditionVariableCancelSleep();
    AbandonSequenceCall();
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

// A host that continues after an error.
class PrefetchHost : public Host {
 public:
  explicit PrefetchHost(bool at_stop) noexcept : at_stop_(at_stop) {}

  template <class Body>
  bool Attempt(const Body& body) {
    static LogLimit limit;
    char problem[512];
    if (pg::Attempt(problem, sizeof problem, at_stop_, body)) return true;
    if (!ShutdownRequestPending && limit.Allows(io::BootUs()))
      ereport(LOG, (errmsg("idgen: could not prefetch values of sequences: %s", problem),
                    errdetail("Sessions fetch values themselves when they run out.")));
    return false;
  }

 private:
  const bool at_stop_;
};

void Detach(int, Datum) {
  AcquireLock(&prefetcher->lock, LW_EXCLUSIVE);
  prefetcher->pid = 0;
  prefetcher->latch = nullptr;
  LWLockRelease(&prefetcher->lock);
}

// False if there is one already.
bool Attach() {
  Host host;
  AcquireLock(&prefetcher->lock, LW_EXCLUSIVE);
  const bool is_first = prefetcher->pid == 0;
  if (is_first) {
    prefetcher->pid = MyProcPid;
    prefetcher->latch = MyLatch;
    sequencer::RefillQueue(host);
  }
  LWLockRelease(&prefetcher->lock);
  if (is_first) before_shmem_exit(Detach, Datum{0});
  return is_first;
}

// Syncs the marks of transactions that did not wait for it. Returns the time until the next sync; -1: none is needed.
int64 SyncNowAndThen() {
  static int64 synced_at_us = 0;
  static LogLimit limit;
  if (prefetcher->wants_sync.load() == 0) return -1;
  const int64 wait_us = synced_at_us + kSyncEveryUs - io::BootUs();
  if (wait_us > 0) return wait_us;
  prefetcher->wants_sync.store(0);
  char problem[512];
  const bool done = Attempt(problem, sizeof problem, false, [] {
    Host host;
    sequencer::SyncAllMarks(host, io::kNever);
  });
  synced_at_us = io::BootUs();
  if (done) return -1;
  prefetcher->wants_sync.store(1);
  if (!ShutdownRequestPending && limit.Allows(synced_at_us))
    ereport(LOG, (errmsg("idgen: could not record high-water marks of sequences: %s", problem)));
  return kPauseUs;
}

// Waits until the latch is set or `ms` have passed; -1: no limit.
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

void StartPrefetcher() {
  if (!IsUnderPostmaster || prefetcher->pid != 0) return;
  AcquireLock(&prefetcher->lock, LW_EXCLUSIVE);
  const int64 now_us = io::BootUs();
  const bool is_mine =
      prefetcher->pid == 0 && (prefetcher->started_at_us == 0 || now_us - prefetcher->started_at_us > kStartAgainUs);
  if (is_mine) prefetcher->started_at_us = now_us;
  LWLockRelease(&prefetcher->lock);
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

bool RequestMarkSync() {
  StartPrefetcher();
  AcquireLock(&prefetcher->lock, LW_SHARED);
  const bool is_there = prefetcher->latch != nullptr;
  // Whoever has set it has woken the prefetcher, which resets it before it syncs.
  if (is_there && prefetcher->wants_sync.exchange(1) == 0) SetLatch(prefetcher->latch);
  LWLockRelease(&prefetcher->lock);
  return is_there;
}

}  // namespace idgen::pg

extern "C" PGDLLEXPORT void idgen_segments_main(Datum) {
  using namespace idgen;
  using namespace idgen::pg;
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, Stop);
  BackgroundWorkerUnblockSignals();
  if (slot_table == nullptr || !Attach()) proc_exit(0);
  AbandonSequenceCallAtExit();

  const uint32 wait_event = NewWaitEvent("IdgenSegmentsMain");
  const MemoryContext turn_context =
      AllocSetContextCreate(TopMemoryContext, "idgen segments turn", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(turn_context);
  int64 pause_until_us = 0;
  PrefetchHost host(false);
  while (!ShutdownRequestPending) {
    const int64 sync_us = SyncNowAndThen();  // first: there may always be something wanted
    int64 pause_us = pause_until_us - io::BootUs();
    sequencer::Slot* wanted = pause_us > 0 ? nullptr : sequencer::NextWanted(host);
    if (wanted == nullptr) {
      if (sync_us > 0 && (pause_us <= 0 || sync_us < pause_us)) pause_us = sync_us;
      Wait(pause_us > 0 ? static_cast<long>(pause_us / core::kUsPerMs + 1) : -1, wait_event);
    } else if (!sequencer::Prefetch(host, *wanted, io::BootUs() + StoreTimeoutUs())) {
      pause_until_us = io::BootUs() + kPauseUs;
    }
    MemoryContextReset(turn_context);
  }
  PrefetchHost last(true);
  sequencer::GiveAllBack(last, io::BootUs() + kReturnWithinUs);
  proc_exit(0);
}
