// The library's entry: what happens when PostgreSQL loads it.
#include "pg/base/pg.h"

#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/sequences/mark_file.h"
#include "pg/sequences/segment_table.h"
#include "pg/worker/worker.h"

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
