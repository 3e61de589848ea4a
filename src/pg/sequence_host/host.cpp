// The operations that wait, raise or log, and the sync of marks before a commit.
#include "pg/sequence_host/host.h"

#include "pg/base/locks.h"
#include "pg/lease/store_access.h"
#include "pg/sequence_host/prefetcher.h"
#include "io/transport.h"
#include "pg/sequences/sequence_store.h"
#include "sequencer/take_values.h"

namespace idgen::pg {

static_assert(sequencer::SlotHost<Host>);

uint64 Host::awaited_mark = 0;
uint64 Host::awaited_in_file = 0;
sequencer::Session Host::session_;

namespace {

using sequencer::Loss;
using sequencer::StoreKey;

// With less time left, there is no further request to the store.
constexpr int64 kMinAskUs = 2 * core::kUsPerMs;

[[noreturn]] void RaiseRepeats(const StoreKey& key, int64 value, int times) {
  const std::string_view name = key.value();
  ereport(ERROR,
          (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the sequence store repeats values"),
           errdetail("It returned values of \"%.*s\" that were issued before %d times in a row, most recently %lld, "
                     "although it was raised above them each time.",
                     static_cast<int>(name.size()), name.data(), times, static_cast<long long>(value)),
           errhint("Check whether \"%s\" leads to several stores, or to one that loses its data.", StoreSetting())));
}

pg_noinline void SyncUpTo(uint64 write, bool may_sync_later) {
  Host host;
  sequencer::SyncBeforeCommit(host, write, may_sync_later, io::kNever);
}

void AtTransactionEnd(XactEvent event, void*) {
  const uint64 write = Host::awaited_mark, write_in_file = Host::awaited_in_file;
  if (write == 0 && write_in_file == 0) return;
  if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) {
    AbandonSequenceCallAtExit();
    PG_TRY();
    {
      SyncUpTo(write, synchronous_commit == SYNCHRONOUS_COMMIT_OFF);
      SyncUpTo(write_in_file, true);
    }
    PG_CATCH();
    {
      AbandonSequenceCall();
      PG_RE_THROW();
    }
    PG_END_TRY();
  }
  Host::awaited_mark = Host::awaited_in_file = 0;
}

}  // namespace

uint64 Host::AskStore(const sequencer::Operation& operation, const StoreKey* keys, sequencer::Answer* answers,
                      int count, int64 until_us) {
  IDGEN_CHECK(!HoldsLock());
  if (operation.only_over != 0 && operation.only_over != StoreConnection()) return 0;
  const bool was_one = pg::AskStore(operation, keys, answers, count, until_us);
  return count == 1 || was_one ? StoreConnection() : 0;
}

bool Host::may_forget() const noexcept { return !HasSequenceStore() || UrlOfSequences().kind().forgets; }

// A store that does not forget gives values above its own without any mark. So a commit does not wait for the disk; the
// record is synced soon after.
void Host::AwaitMark(uint64 write) noexcept {
  uint64& awaited = may_forget() ? awaited_mark : awaited_in_file;
  awaited = Max(awaited, write);
}

uint64 Host::store() const noexcept { return StoreIdentity(); }

// The owner of the database, who can create any number of databases, and the role that logged in, which no function
// changes. No lock is held here: the database's owner is looked up once.
uint64 Host::owner() {
  static Oid owner_of_database = InvalidOid;
  if (MyDatabaseId == InvalidOid) return 0;
  if (owner_of_database == InvalidOid) {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
    owner_of_database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datdba;
    ReleaseSysCache(tuple);
  }
  return static_cast<uint64>(owner_of_database) << 32 | GetSessionUserId();
}

void Host::LogLoss(const StoreKey& key, const sequencer::Known& known, Loss loss, int64 value) {
  int64 suppressed;
  if (!MayLogLoss(&suppressed)) return;
  const char* why = nullptr;
  switch (loss) {
    case Loss::kSure: why = "It returned %lld after it had returned %lld; it was raised above that.%s"; break;
    case Loss::kAfterCrash:
      why =
          "It returned %lld, and it may not be the store that had returned up to %lld when this server crashed; it was "
          "raised above that.%s";
      break;
    case Loss::kNone:
    case Loss::kDoubtful:
      why =
          "It returned %lld while another session got up to %lld from this or another store; it was raised above "
          "that.%s";
  }
  const char* more =
      suppressed > 0 ? psprintf(" %lld similar events were not logged.", static_cast<long long>(suppressed)) : "";
  const std::string_view name = key.value();
  ereport(LOG, (errmsg("idgen: the sequence store %s forgotten values of \"%.*s\"",
                       loss == Loss::kSure ? "had" : "may have", static_cast<int>(name.size()), name.data()),
                errdetail(why, static_cast<long long>(value), static_cast<long long>(known.ahead), more)));
}

// No pause the first time, when two sessions may have got the value just as the store lost it; then longer and longer
// ones.
void Host::PauseBeforeRaise(const StoreKey& key, int64 value, int times, int64 until_us) {
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenSequenceRepeats");
  constexpr int64 kMaxPauseUs = 100 * core::kUsPerMs;
  const int64 pause_us = times < 2 ? 0 : Min(core::kUsPerMs << Min(times - 2, 10), kMaxPauseUs);
  const int64 pause_until_us = io::BootUs() + pause_us;
  while (true) {
    const int64 now_us = io::BootUs();
    if (Max(now_us, pause_until_us) + kMinAskUs >= until_us) RaiseRepeats(key, value, times);
    if (now_us >= pause_until_us) break;
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
              static_cast<long>((pause_until_us - now_us) / core::kUsPerMs + 1), wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
  CHECK_FOR_INTERRUPTS();
}

bool Host::RequestSync() { return RequestMarkSync(); }

void Host::StartPrefetcher() { pg::StartPrefetcher(); }

void Host::AddRange(const sequencer::Range& range) {
  Ranges& taken = *taken_;
  if (taken.count == taken.capacity) {
    taken.capacity = taken.capacity == 0 ? 4 : taken.capacity * 2;
    const Size size = sizeof(Ranges::Range) * static_cast<Size>(taken.capacity);
    taken.ranges = static_cast<Ranges::Range*>(taken.ranges == nullptr ? palloc(size) : repalloc(taken.ranges, size));
  }
  taken.ranges[taken.count++] = {.first = range.first, .count = range.count};
}

void Host::PrepareToWait(const sequencer::Slot& slot, int64 until_us) {
  if (until_us <= io::BootUs())
    ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("the sequence store does not answer"),
                    errdetail("Another session has been fetching values of the key, and none arrived within %lld ms.",
                              static_cast<long long>(StoreTimeoutUs() / core::kUsPerMs)),
                    errhint("See \"%s\" and \"idgen.sequence_timeout\".", StoreSetting())));
  ConditionVariablePrepareToSleep(&FetchedVariable(slot));
}

void Host::WaitForFetch(const sequencer::Slot& slot, int64 until_us) {
  IDGEN_CHECK(!HoldsLock());
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenSequenceSegment");
  const int64 left_us = Max(until_us - io::BootUs(), int64{0});
  ConditionVariableTimedSleep(&FetchedVariable(slot), static_cast<long>(left_us / core::kUsPerMs + 1), wait_event);
}

void Host::WaitForSlot(int64 until_us) {
  static uint32 wait_event = 0;
  if (wait_event == 0) wait_event = NewWaitEvent("IdgenSequenceSlot");
  if (io::BootUs() >= until_us)
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many sequence keys in use"),
                    errdetail("All %d slots for keys are waiting for values.", slot_table->capacity()),
                    errhint("Raise \"idgen.max_sequence_keys\" and restart the server.")));
  WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1, wait_event);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

void AbandonSequenceCall() {
  Host host;
  sequencer::Abandon(host);
}

void AbandonSequenceCallAtExit() {
  static bool registered = false;
  if (!registered) before_shmem_exit([](int, Datum) { AbandonSequenceCall(); }, Datum{0});
  registered = true;
}

void SyncMarksBeforeCommit() { RegisterXactCallback(AtTransactionEnd, nullptr); }

}  // namespace idgen::pg
