// The rows of idgen_check() about the server. Those about tables come from the SQL function.
#include "pg/base/pg.h"

#include "pg/base/monitor_role.h"
#include "pg/base/row.h"
#include "pg/base/settings.h"
#include "pg/lease/settings.h"
#include "pg/lease/store_access.h"
#include "pg/sequences/sequencers.h"
#include "pg/status/diagnosis.h"

#include <cstring>

using namespace idgen;

namespace {

void AddRow(FunctionCallInfo fcinfo, const char* severity, const char* object, const char* finding,
            const char* advice) {
  pg::Row<4> row;
  row.AddText(severity);
  row.AddText(object);
  row.AddText(finding);
  row.AddText(advice);
  row.Store(fcinfo);
}

// Any state but "ok".
void AddState(FunctionCallInfo fcinfo, const pg::Diagnosis& diagnosis) {
  if (strcmp(diagnosis.state, "ok") == 0) return;
  static constexpr const char* kTransient[] = {"starting", "waiting", "idle", "standby", "off"};
  const char* severity = "error";
  for (const char* state : kTransient)
    if (strcmp(diagnosis.state, state) == 0) severity = "warning";
  const char* reason = diagnosis.reason != nullptr ? psprintf(" %s", diagnosis.reason) : "";
  AddRow(fcinfo, severity, "server", psprintf("Its state is \"%s\".%s", diagnosis.state, reason),
         diagnosis.advice != nullptr ? diagnosis.advice : "See idgen_status().");
}

// Whether the database has sequencers besides the built-in one.
bool HasSequencers(FunctionCallInfo fcinfo) {
  const Relation relation = pg::OpenNamed(fcinfo, pg::sequencers, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, pg::kSequencerBuiltIn, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(false));
  const SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 1, &key);
  const bool found = HeapTupleIsValid(systable_getnext(scan));
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return found;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_check_server);
PGDLLEXPORT Datum idgen_sql_check_server(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  const pg::Shared* shared = pg::SharedState();
  if (shared == nullptr) {
    AddRow(fcinfo, "error", "server", "The library is not in \"shared_preload_libraries\", so no ids can be issued.",
           "Add idgen to \"shared_preload_libraries\" and restart the server.");
    return Datum{0};
  }
  const pg::WorkerStatus status = pg::CopyStatus(*shared);
  AddState(fcinfo, pg::Diagnose(status, pg::MaySeeServer()));
  if (pg::WorkerNumberSource() == lease::NumberSource::kStatic && !pg::WorkerIdIsChosen())
    AddRow(fcinfo, "warning", "server",
           "\"idgen.worker_id\" is not set: the server uses 0, like every other server on which it is not set.",
           "Set \"idgen.worker_id\" to a number that no other server uses, or lease one (\"idgen.worker_source\").");
  const pg::Diagnosis memory = pg::DiagnoseStoreMemory(status);
  if (memory.reason != nullptr) AddRow(fcinfo, "warning", "server", memory.reason, memory.advice);
  if (!pg::HasSequenceStore())
    AddRow(fcinfo, "error", HasSequencers(fcinfo) ? "sequences" : "default sequence",
           "Sequences are used in this database, but no sequence store is configured.",
           "Set \"idgen.sequence_store\" to the URL of a store and reload the configuration.");
  return Datum{0};
}

}  // extern "C"
