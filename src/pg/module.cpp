// The library's entry: what happens when PostgreSQL loads it.
#include "pg/pg.h"

#include "pg/segment_table.h"
#include "pg/mark_file.h"
#include "pg/settings.h"
#include "pg/shmem.h"
#include "pg/worker.h"

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void) {
  idgen::pg::DefineSettings();
  if (!process_shared_preload_libraries_in_progress) return;
  idgen::pg::RequestSharedMemory();
  idgen::pg::RequestSegmentMemory();
  idgen::pg::RequestMarksMemory();
  if (!IsBinaryUpgrade) idgen::pg::RegisterWorker();
}

}  // extern "C"
