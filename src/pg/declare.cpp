// What CREATE EXTENSION's script says to the server: it is new, unless there is a trace of earlier ids.
#include "pg/pg.h"

#include "io/ceiling_file.h"
#include "pg/shmem.h"
#include "pg/worker.h"

#include <cerrno>
#include <cstring>

using namespace idgen;

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_declare_new_server);
PGDLLEXPORT Datum idgen_sql_declare_new_server(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  const io::ClusterId cluster{.system_identifier = GetSystemIdentifier(), .timeline = GetWALInsertionTimeLine()};
  io::CeilingFile file(io::PosixDisk(), DataDir, static_cast<unsigned>(pg_file_create_mode));
  const int result = file.CreateForNewServer(cluster, MyProcPid);
  if (result < 0 && result != -EEXIST)
    ereport(ERROR,
            (errcode(ERRCODE_IO_ERROR), errmsg("could not create file \"%s\": %s", file.path(), strerror(-result))));
  if (pg::SharedState() != nullptr) pg::WakeWorker();
  PG_RETURN_BOOL(result == 0);
}

}  // extern "C"
