// idgen_adopt(): makes a generator the default of a column with existing ids, or raises what prevents that.
#include "pg/base/pg.h"

#include "pg/base/row.h"
#include "pg/generators/generators.h"
#include "pg/ids/take_id.h"
#include "pg/migration/column.h"

#include <cstring>

using namespace idgen;

namespace {

// Returns a row that says what was done.
void Report(FunctionCallInfo fcinfo, const char* what) {
  pg::Row<1> row;
  row.AddText(what);
  row.Store(fcinfo);
}

// Runs as the table's owner, because planning a query evaluates functions of the table's indexes and constraints.
void CheckAbove(const pg::Column& column, int64 new_id) {
  const int settings = pg::SeeAllRows();
  const pg::Caller caller = pg::BecomeOwner(column);
  pg::Execute(psprintf("SELECT pg_catalog.max(%s)::bigint FROM %s", column.name, column.table));
  bool none;
  const int64 largest = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &none));
  AtEOXact_GUC(!caller.changed, settings);
  pg::BecomeCaller(caller);
  if (none || largest < new_id) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("column %s of table %s contains ids not lower than new ids", column.name, column.table),
                  errdetail("The largest id is %lld; a new id is %lld.", static_cast<long long>(largest),
                            static_cast<long long>(new_id)),
                  errhint("Use a generator with larger ids, that is, with an earlier epoch.")));
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_adopt);
PGDLLEXPORT Datum idgen_sql_adopt(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("table and column must not be null")));
  if (PG_ARGISNULL(2))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("generator must not be null")));
  SPI_connect();
  const pg::Column column = pg::LockColumn(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), "ACCESS EXCLUSIVE");
  // Above all ids of the generator that this server has issued.
  const int64 new_id = pg::TakeId(pg::OwnSlot(), pg::FetchGenerator(fcinfo, 2, true));
  CheckAbove(column, new_id);

  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(2));
  const bool is_default = strcmp(name, pg::kDefaultName) == 0;
  const char* generator = is_default ? "" : quote_literal_cstr(name);
  const char* schema = pg::ExtensionSchema(fcinfo);
  const char* expression = psprintf("%s.idgen_next(%s)", schema, generator);
  // The schema may contain other functions of that name: only an exact match is certain to be the extension's.
  const char* exact = is_default ? expression : psprintf("%s.idgen_next(%s::pg_catalog.text)", schema, generator);
  if (column.identity) {
    pg::Execute(psprintf("ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY", column.table, column.name));
    Report(fcinfo, psprintf("dropped the identity of column %s and its sequence", column.name));
  }
  pg::Execute(psprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", column.table, column.name, exact));
  Report(fcinfo, psprintf("set the default of column %s to %s", column.name, expression));
  if (const char* sequence = pg::OwnedSequence(column); sequence != nullptr) {
    pg::Execute(psprintf("ALTER SEQUENCE %s OWNED BY NONE", sequence));
    Report(fcinfo,
           psprintf("kept sequence %s, which the column no longer owns: drop it if nothing else uses it", sequence));
  }
  Report(fcinfo, psprintf("every existing id is below %lld", static_cast<long long>(new_id)));
  SPI_finish();
  return static_cast<Datum>(0);
}

}  // extern "C"
