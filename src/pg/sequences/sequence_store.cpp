// The connection, its settings, and waiting on it.
#include "pg/sequences/sequence_store.h"

#include "io/clock.h"
#include "pg/lease/descriptors.h"
#include "pg/lease/store_access.h"
#include "pg/base/sentence.h"
#include "pg/base/monitor_role.h"
#include "pg/base/wait.h"
#include "sequencer/stores.h"

#include <new>
#include <type_traits>

namespace idgen::pg {
namespace {

int timeout_ms = 2000;

struct Connection {
  AccessConfig config;
  uint64 config_count = 0;  // the store_access_count that `config` was read at
  int descriptors = 0;      // that are reserved; none while it is closed
  sequencer::ConfiguredSequenceStore store;
  // For one descriptor: making a set for every wait would cost more than the store's answer.
  WaitEventSet* events = nullptr;
  uint64 events_of = 0;  // the connection
  int events_fd = -1;    // a connection may come to be waited for by another descriptor
};
static_assert(std::is_trivially_destructible_v<Connection>);

Connection* own = nullptr;
uint32 wait_event = 0;

void FreeEvents() {
  if (own->events != nullptr) FreeWaitEventSet(own->events);
  own->events = nullptr;
}

void Close() {
  FreeEvents();
  own->store.Close();
  ReleaseDescriptors(own->descriptors);
  own->descriptors = 0;
}

void CloseAtExit(int, Datum) { Close(); }

void Open() {
  if (own == nullptr) {
    own = new (MemoryContextAlloc(TopMemoryContext, sizeof(Connection))) Connection();
    wait_event = NewWaitEvent("IdgenSequenceStore");
    on_proc_exit(CloseAtExit, 0);
  }
  if (own->descriptors > 0 && own->config_count == store_access_count) return;
  Close();
  if (!HasSequenceStore())
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no sequence store is configured"),
                    errdetail("Neither \"idgen.sequence_store\" nor \"idgen.lease_store\" is set."),
                    errhint("Set \"idgen.sequence_store\" and reload the configuration.")));
  own->descriptors = ReserveDescriptors(UrlOfSequences().kind(), "sequence store");
  own->config_count = store_access_count;
  ReadSequenceStoreAccess(&own->config);
  own->store.Configure(own->config.Access(0));
}

// Waits for the reply over an open connection.
void WaitForReply(const io::Wants& wants, int64 now_us) {
  if (own->events != nullptr && (own->events_of != own->store.connection() || own->events_fd != wants.fd)) FreeEvents();
  if (own->events == nullptr) {
    own->events = NewWaitEventSet(3);
    own->events_of = own->store.connection();
    own->events_fd = wants.fd;
    AddWaitEventToSet(own->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    // In single-user mode there is no postmaster to watch.
    if (IsUnderPostmaster) AddWaitEventToSet(own->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    AddWaitEventToSet(own->events, WL_SOCKET_READABLE, wants.fd, nullptr, nullptr);
  }
  WaitEvent event;
  if (WaitEventSetWait(own->events, SleepMs(wants, now_us), &event, 1, wait_event) == 0 ||
      (event.events & WL_LATCH_SET) == 0)
    return;
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

void Wait(int64 now_us) {
  const io::Wants wants = own->store.wants(now_us);
  if (own->store.is_exchanging() && wants.read && !wants.write) return WaitForReply(wants, now_us);
  WaitForConnection(wants, now_us, wait_event);
}

[[noreturn]] void RaiseNoAnswer() {
  const sequencer::SequenceStore& store = own->store;
  const char* unsure = store.is_unsure() ? " The store may have executed the request, which is not repeated. "
                                           "Values that it returned are skipped."
                                         : "";
  // Without an address before it, the reason begins the sentence.
  char* shown = pstrdup(MaySeeServer() ? store.problem() : store.reason());
  if (!MaySeeServer()) *shown = static_cast<char>(pg_toupper(static_cast<unsigned char>(*shown)));
  ereport(ERROR, (errcode(store.is_garbled() ? ERRCODE_PROTOCOL_VIOLATION : ERRCODE_CONNECTION_FAILURE),
                  errmsg("the sequence store does not answer"), errdetail("%s%s", Sentence(shown), unsure),
                  errdetail_log("%s%s", Sentence(store.problem()), unsure),
                  errhint("See \"%s\" and \"idgen.sequence_timeout\".", StoreSetting())));
}

// The connection is fine, and stays open.
[[noreturn]] void RaiseTimeIsUp() {
  ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("the sequence store does not answer in time"),
                  errdetail("The call needs another request, but its time is up."),
                  errhint("See \"%s\" and \"idgen.sequence_timeout\".", StoreSetting())));
}

}  // namespace

void DefineSequenceSettings() {
  DefineCustomIntVariable("idgen.sequence_timeout",
                          "Sets the maximum time for one call to the sequence store, including the connection.",
                          "After that the call gets an error.", &timeout_ms, 2000, 10, 60 * 1000, PGC_USERSET,
                          GUC_UNIT_MS, nullptr, nullptr, nullptr);
}

int64 StoreTimeoutUs() noexcept { return timeout_ms * core::kUsPerMs; }

const char* StoreSetting() noexcept { return UrlOfSequences().name(); }

uint64 StoreIdentity() noexcept {
  const char* shown = UrlOfSequences().shown();
  return hash_bytes_extended(reinterpret_cast<const unsigned char*>(shown), static_cast<int>(strlen(shown)), 0);
}

bool AskStore(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
              int count, int64 until_us) {
  Open();
  if (io::BootUs() >= until_us) RaiseTimeIsUp();
  using State = sequencer::SequenceStore::State;
  State state = State::kBusy;
  PG_TRY();
  {
    int64 now_us = io::BootUs();
    own->store.Begin(operation, keys, answers, count, now_us, until_us);
    while ((state = own->store.Step(now_us)) == State::kBusy) {
      Wait(now_us);
      now_us = io::BootUs();
    }
  }
  PG_CATCH();
  {
    Close();
    PG_RE_THROW();
  }
  PG_END_TRY();
  if (state == State::kFailed) RaiseNoAnswer();
  for (int i = 0; i < count; ++i) {
    if (answers[i].outcome != sequencer::Answer::Outcome::kMisread) continue;
    Close();
    ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("unexpected reply from the sequence store"),
                    errdetail("The server that answered is not a sequence store, or cannot run this request."),
                    errhint("See \"%s\".", StoreSetting())));
  }
  return own->store.came_from_one();
}

uint64 StoreConnection() noexcept { return own->store.connection(); }

}  // namespace idgen::pg
