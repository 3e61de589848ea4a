// The table idgen_sequencer: its trigger, which judges what comes in and tells the sessions; creating and dropping.
#include "pg/sequencers.h"

#include "pg/column.h"
#include "pg/generators.h"

#include <cstring>

using namespace idgen;

namespace {

constexpr const char* kDefaultName = "default";

const char* NameOf(const TriggerData* trigger, HeapTuple row) {
  bool is_null;
  const Datum name = heap_getattr(row, pg::kSequencerName, RelationGetDescr(trigger->tg_relation), &is_null);
  return is_null ? "" : TextDatumGetCString(name);
}

void CheckName(const char* name) {
  if (*name == '\0' || strlen(name) >= NAMEDATALEN)
    ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid name of a sequencer"),
                    errdetail("It has %zu bytes; it can have 1 to %d.", strlen(name), NAMEDATALEN - 1)));
}

bool IsBuiltIn(const TriggerData* trigger, HeapTuple row) {
  bool is_null;
  const Datum built_in = heap_getattr(row, pg::kSequencerBuiltIn, RelationGetDescr(trigger->tg_relation), &is_null);
  return !is_null && DatumGetBool(built_in);
}

void RefuseBuiltIn(const TriggerData* trigger, HeapTuple row) {
  if (IsBuiltIn(trigger, row) && !creating_extension)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("sequencer \"%s\" is built in", NameOf(trigger, row)),
             errdetail("Built-in sequencers come with the extension, and are neither made, changed nor dropped.")));
}

// None for a row that is here already.
HeapTuple JudgeNew(const TriggerData* trigger, HeapTuple row) {
  CheckName(NameOf(trigger, row));
  const sequencer::Definition definition = pg::DefinitionOfSequencerRow(row, RelationGetDescr(trigger->tg_relation));
  // A subscriber to all tables of another database is sent that one's built-in row, and has it.
  if (!creating_extension && IsBuiltIn(trigger, row) && strcmp(NameOf(trigger, row), kDefaultName) == 0 &&
      definition == sequencer::Definition{})
    return nullptr;
  RefuseBuiltIn(trigger, row);
  return row;
}

// Only the comment may change: what other servers and programs go by stays as it is.
HeapTuple JudgeChange(const TriggerData* trigger, HeapTuple before, HeapTuple after) {
  const TupleDesc descriptor = RelationGetDescr(trigger->tg_relation);
  for (int column = 1; column <= pg::kSequencerColumns; ++column) {
    if (column == pg::kSequencerComment) continue;
    bool was_null, is_null;
    const Datum was = heap_getattr(before, column, descriptor, &was_null);
    const Datum is = heap_getattr(after, column, descriptor, &is_null);
    const auto* attribute = TupleDescAttr(descriptor, column - 1);
    if (was_null == is_null && (was_null || datum_image_eq(was, is, attribute->attbyval, attribute->attlen))) continue;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("sequencer \"%s\" can't be changed", NameOf(trigger, before)),
                    errdetail("Its column \"%s\" would be.", NameStr(attribute->attname)),
                    errhint("Drop it and make it anew: one of the same name goes on with the values in the store.")));
  }
  return after;
}

// A query on a table or view of the extension, whose schema can't be a parameter.
int RunQuery(FunctionCallInfo fcinfo, const char* format, const char* relation, int count, Oid* types, Datum* values,
             const char* nulls) {
  const int result = SPI_execute_with_args(psprintf(format, pg::ExtensionSchema(fcinfo), relation), count, types,
                                           values, nulls, false, 0);
  if (result < 0) elog(ERROR, "idgen: query failed: %s", SPI_result_code_string(result));
  return static_cast<int>(SPI_processed);
}

// What is wrong is said before a row is made, so that it is said without the context of a query.
void JudgeArguments(FunctionCallInfo fcinfo) {
  const auto given = [fcinfo](int n) { return !PG_ARGISNULL(n); };
  const int64 start = given(2) ? PG_GETARG_INT64(2) : 0, step = given(3) ? PG_GETARG_INT64(3) : 0,
              max_value = given(4) ? PG_GETARG_INT64(4) : 0;
  const bool cycle = given(5) && PG_GETARG_BOOL(5);
  const int32 cache = given(8) ? PG_GETARG_INT32(8) : 1;
  pg::ParseSequencer({.prefix = given(1) ? PG_GETARG_TEXT_PP(1) : nullptr,
                      .start = given(2) ? &start : nullptr,
                      .step = given(3) ? &step : nullptr,
                      .max_value = given(4) ? &max_value : nullptr,
                      .cycle = &cycle,
                      .ttl = given(6) ? PG_GETARG_INTERVAL_P(6) : nullptr,
                      .ttl_mode = given(7) ? PG_GETARG_TEXT_PP(7) : nullptr,
                      .cache = &cache});
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_sequencer_trigger);
PGDLLEXPORT Datum idgen_sql_sequencer_trigger(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("not called as a trigger")));
  const auto* trigger = reinterpret_cast<const TriggerData*>(fcinfo->context);
  if (strcmp(RelationGetRelationName(trigger->tg_relation), pg::kSequencerTable) != 0 ||
      !pg::BelongsToExtension(fcinfo, RelationGetRelid(trigger->tg_relation)))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("this trigger is for the table \"%s\" of the extension", pg::kSequencerTable)));
  CacheInvalidateRelcache(trigger->tg_relation);
  const TriggerEvent event = trigger->tg_event;
  if (!TRIGGER_FIRED_FOR_ROW(event))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("table \"%s\" can't be truncated", pg::kSequencerTable),
                    errdetail("It has the built-in sequencer, which stays."),
                    errhint("DELETE FROM %s WHERE NOT built_in;", pg::kSequencerTable)));
  if (TRIGGER_FIRED_BY_INSERT(event)) return PointerGetDatum(JudgeNew(trigger, trigger->tg_trigtuple));
  if (TRIGGER_FIRED_BY_UPDATE(event))
    return PointerGetDatum(JudgeChange(trigger, trigger->tg_trigtuple, trigger->tg_newtuple));
  RefuseBuiltIn(trigger, trigger->tg_trigtuple);
  return PointerGetDatum(trigger->tg_trigtuple);
}

PG_FUNCTION_INFO_V1(idgen_sql_create_sequencer);
PGDLLEXPORT Datum idgen_sql_create_sequencer(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the name of a sequencer can't be null")));
  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(0));
  CheckName(name);
  JudgeArguments(fcinfo);

  Oid types[] = {TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, BOOLOID, INTERVALOID, TEXTOID, INT4OID, TEXTOID};
  Datum values[lengthof(types)];
  char nulls[lengthof(types)];
  for (int i = 0; i < static_cast<int>(lengthof(types)); ++i) {
    values[i] = PG_GETARG_DATUM(i);
    nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
  }
  SPI_connect();
  if (RunQuery(fcinfo,
               "INSERT INTO %s.%s (name, key_prefix, start, step, max_value, cycle, ttl, ttl_mode, cache, comment) "
               "VALUES ($1, $2, coalesce($3, 1), coalesce($4, 1), coalesce($5, 9223372036854775807), "
               "coalesce($6, false), $7, coalesce($8, 'from first use'), coalesce($9, 1), $10) ON CONFLICT DO NOTHING",
               pg::kSequencerTable, lengthof(types), types, values, nulls) == 0)
    ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("sequencer \"%s\" already exists", name)));
  RunQuery(fcinfo, "SELECT * FROM %s.%s WHERE name = $1", "idgen_sequencers", 1, types, values, nulls);
  const HeapTupleHeader row = SPI_returntuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
  SPI_finish();
  PG_RETURN_HEAPTUPLEHEADER(row);
}

PG_FUNCTION_INFO_V1(idgen_sql_drop_sequencer);
PGDLLEXPORT Datum idgen_sql_drop_sequencer(PG_FUNCTION_ARGS) {
  Oid types[] = {TEXTOID};
  Datum values[] = {PG_GETARG_DATUM(0)};
  SPI_connect();
  const int dropped =
      RunQuery(fcinfo, "DELETE FROM %s.%s WHERE name = $1", pg::kSequencerTable, 1, types, values, nullptr);
  SPI_finish();
  if (dropped == 0 && !PG_GETARG_BOOL(1))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("sequencer \"%s\" does not exist", text_to_cstring(PG_GETARG_TEXT_PP(0))),
                    errhint("The view idgen_sequencers lists them.")));
  PG_RETURN_BOOL(dropped > 0);
}

}  // extern "C"
