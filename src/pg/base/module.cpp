// The library's entry point, called when PostgreSQL loads it.
#include "pg/base/pg.h"

#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/sequence_host/host.h"
#include "pg/worker/worker.h"

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void) {
  idgen::pg::DefineSettings();
  if (!process_shared_preload_libraries_in_progress) return;
  // Their LWLocks are never held together: see docs/architecture.md.
  static constexpr const idgen::pg::SharedPart* kParts[] = {&idgen::pg::server_part, &idgen::pg::slot_part,
                                                            &idgen::pg::mark_part};
  idgen::pg::RequestSharedParts(kParts, lengthof(kParts));
  idgen::pg::SyncMarksBeforeCommit();
  if (!IsBinaryUpgrade) idgen::pg::RegisterWorker();
}

}  // extern "C"
