// What CREATE EXTENSION's script says to the server: it is new, unless there is a trace of earlier ids. And to the
// user, if the library is not preloaded.
#include "pg/base/pg.h"

#include "io/ceiling_file.h"
#include "pg/base/preload.h"
#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/worker/worker.h"

#include <cerrno>
#include <cstring>

using namespace idgen;

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_declare_new_server);
PGDLLEXPORT Datum idgen_sql_declare_new_server(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  pg::WarnUnlessPreloaded();
  const io::ClusterId cluster{.system_identifier = GetSystemIdentifier(), .timeline = GetWALInsertionTimeLine()};
  // A server that issues ids, or was asked for one before, is not new, whatever has become of its file.
  const pg::Shared* shared = pg::SharedState();
  if (shared != nullptr && (shared->asked_for.load() != 0 ||
                            shared->server.clock_state.load() == static_cast<uint64>(core::ClockState::kEstablished)))
    PG_RETURN_BOOL(false);
  // After a promotion a missing file proves nothing: a standby that is older than the extension never had one, and the
  // primary may have issued ids. They begin above what it can have issued; the wait for that may as well begin now.
  if (cluster.timeline > 1) {
    if (pg::SharedState() != nullptr) pg::AskWorker();
    PG_RETURN_BOOL(false);
  }
  // A lease says by itself whether there was anything before, and has a file once ids may have been issued.
  if (pg::WorkerNumberSource() == lease::NumberSource::kLease) PG_RETURN_BOOL(false);
  io::CeilingFile file(io::PosixDisk(), DataDir, static_cast<unsigned>(pg_file_create_mode));
  const int result = file.CreateForNewServer(cluster, MyProcPid);
  if (result < 0 && result != -EEXIST)
    ereport(ERROR,
            (errcode(ERRCODE_IO_ERROR), errmsg("could not create file \"%s\": %s", file.path(), strerror(-result))));
  if (pg::SharedState() != nullptr) pg::WakeWorker();
  PG_RETURN_BOOL(result == 0);
}

}  // extern "C"
