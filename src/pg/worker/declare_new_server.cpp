// For CREATE EXTENSION's script: declares the server new unless there is a trace of earlier ids, and warns the user if
// the library is not preloaded.
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
  // A server that issues ids or was asked for one is not new, even if its file is missing.
  const pg::Shared* shared = pg::SharedState();
  if (shared != nullptr && (shared->asked_for.load() != 0 ||
                            shared->server.clock_state.load() == static_cast<uint64>(core::ClockState::kEstablished)))
    PG_RETURN_BOOL(false);
  // After a promotion a missing file proves nothing: a standby from before the extension never had one, and the primary
  // may have issued ids. This server starts above those; let the wait for that begin now.
  if (cluster.timeline > 1) {
    if (pg::SharedState() != nullptr) pg::AskWorker();
    PG_RETURN_BOOL(false);
  }
  // The lease store knows whether there were earlier ids, and the file is written before any is issued.
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
