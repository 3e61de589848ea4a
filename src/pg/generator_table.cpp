// The table idgen_generator: its trigger, which judges what comes in and tells the sessions; creating, dropping and
// commenting.
#include "pg/generators.h"

#include "io/clock.h"
#include "pg/column.h"
#include "pg/definition.h"
#include "pg/describe.h"
#include "pg/row.h"
#include "pg/settings.h"
#include "pg/shmem.h"

#include <cstring>

using namespace idgen;

namespace {

using pg::GeneratorColumn;

constexpr const char* kDefaultName = "default";

Datum ColumnOf(const TriggerData* trigger, HeapTuple row, GeneratorColumn column, bool* is_null) {
  return heap_getattr(row, column, RelationGetDescr(trigger->tg_relation), is_null);
}

const char* NameOf(const TriggerData* trigger, HeapTuple row) {
  bool is_null;
  const Datum name = ColumnOf(trigger, row, pg::kNameColumn, &is_null);
  return is_null ? "" : TextDatumGetCString(name);
}

bool IsBuiltIn(const TriggerData* trigger, HeapTuple row) {
  bool is_null;
  const Datum built_in = ColumnOf(trigger, row, pg::kBuiltInColumn, &is_null);
  return !is_null && DatumGetBool(built_in);
}

void CheckName(const char* name) {
  if (*name == '\0' || strlen(name) >= NAMEDATALEN)
    ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid name of a generator"),
                    errdetail("It has %zu bytes; it can have 1 to %d.", strlen(name), NAMEDATALEN - 1)));
}

void RefuseBuiltIn(const TriggerData* trigger, HeapTuple row) {
  if (IsBuiltIn(trigger, row) && !creating_extension)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("generator \"%s\" is built in", NameOf(trigger, row)),
             errdetail("Built-in generators come with the extension, and are neither made, changed nor dropped.")));
}

// The row as it is kept: what was left out is filled in, and the layout is written in one way. None for a row that is
// here already.
HeapTuple JudgeNew(const TriggerData* trigger, HeapTuple row) {
  const TupleDesc descriptor = RelationGetDescr(trigger->tg_relation);
  CheckName(NameOf(trigger, row));
  const core::Definition definition = pg::DefinitionOfRow(row, descriptor);
  // A subscriber to all tables of another database is sent that one's built-in row, and has it.
  if (!creating_extension && IsBuiltIn(trigger, row) && strcmp(NameOf(trigger, row), kDefaultName) == 0 &&
      definition == core::Definition{})
    return nullptr;
  RefuseBuiltIn(trigger, row);
  char layout[core::kLayoutTextBytes];
  core::WriteLayout(definition.layout, layout);
  const auto fixed = [&definition](const core::Field& field) {
    return Int32GetDatum(static_cast<int32>(field.Get(definition.layout.fixed)));
  };
  int columns[] = {pg::kLayoutColumn, pg::kEpochColumn, pg::kUnitColumn, pg::kRegionColumn, pg::kAppColumn};
  Datum values[] = {CStringGetTextDatum(layout), TimestampTzGetDatum(pg::TimestampOfUnixMs(definition.layout.epoch_ms)),
                    pg::IntervalOfUs(definition.unit_us), fixed(definition.layout.region),
                    fixed(definition.layout.app)};
  bool nulls[] = {false, false, false, !definition.layout.region.Present(), !definition.layout.app.Present()};
  return heap_modify_tuple_by_cols(row, descriptor, lengthof(columns), columns, values, nulls);
}

// Only the comment may change: ids that were issued keep their meaning.
void JudgeChange(const TriggerData* trigger, HeapTuple before, HeapTuple after) {
  const TupleDesc descriptor = RelationGetDescr(trigger->tg_relation);
  for (int column = 1; column <= pg::kGeneratorColumns; ++column) {
    if (column == pg::kCommentColumn) continue;
    bool was_null, is_null;
    const Datum was = heap_getattr(before, column, descriptor, &was_null);
    const Datum is = heap_getattr(after, column, descriptor, &is_null);
    const auto* attribute = TupleDescAttr(descriptor, column - 1);
    if (was_null == is_null && (was_null || datum_image_eq(was, is, attribute->attbyval, attribute->attlen))) continue;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("generator \"%s\" can't be changed", NameOf(trigger, before)),
                    errdetail("Its column \"%s\" would be. Ids that were issued by it would mean something else.",
                              NameStr(attribute->attname)),
                    errhint("Make a new generator with idgen_create_generator(), and use it from now on.")));
  }
}

// A query on a table or view of the extension, whose schema can't be a parameter.
int RunQuery(FunctionCallInfo fcinfo, const char* format, const char* relation, int count, Oid* types, Datum* values,
             const char* nulls) {
  const int result = SPI_execute_with_args(psprintf(format, pg::ExtensionSchema(fcinfo), relation), count, types,
                                           values, nulls, false, 0);
  if (result < 0) elog(ERROR, "idgen: query failed: %s", SPI_result_code_string(result));
  return static_cast<int>(SPI_processed);
}

void CheckRoom(const core::Layout& layout) {
  pg::Shared* shared = pg::SharedState();
  if (shared == nullptr || core::FindLine<core::PlainMemory>(shared->server, core::LineLayout(layout)) != nullptr)
    return;
  if (shared->server.line_count.load() >= static_cast<uint64>(pg::MaxGenerators()))
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("the server has no room for another layout"),
                    errdetail("%d are in use since it was started, those of dropped generators and of other databases "
                              "among them.",
                              pg::MaxGenerators()),
                    errhint("Raise \"idgen.max_generators\" and restart the server.")));
}

const char* NameArgument(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the name of a generator can't be null")));
  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(0));
  CheckName(name);
  return name;
}

[[noreturn]] void RaiseMissing(const char* name) {
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("generator \"%s\" does not exist", name),
                  errhint("The view idgen_generators lists them.")));
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_generator_trigger);
PGDLLEXPORT Datum idgen_sql_generator_trigger(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("not called as a trigger")));
  const auto* trigger = reinterpret_cast<const TriggerData*>(fcinfo->context);
  if (strcmp(RelationGetRelationName(trigger->tg_relation), pg::kGeneratorTable) != 0 ||
      !pg::BelongsToExtension(fcinfo, RelationGetRelid(trigger->tg_relation)))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("this trigger is for the table \"%s\" of the extension", pg::kGeneratorTable)));
  CacheInvalidateRelcache(trigger->tg_relation);
  const TriggerEvent event = trigger->tg_event;
  if (!TRIGGER_FIRED_FOR_ROW(event))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("table \"%s\" can't be truncated", pg::kGeneratorTable),
                    errdetail("It has the built-in generator, which stays."),
                    errhint("DELETE FROM %s WHERE NOT built_in;", pg::kGeneratorTable)));
  if (TRIGGER_FIRED_BY_INSERT(event)) return PointerGetDatum(JudgeNew(trigger, trigger->tg_trigtuple));
  if (TRIGGER_FIRED_BY_UPDATE(event)) {
    JudgeChange(trigger, trigger->tg_trigtuple, trigger->tg_newtuple);
    return PointerGetDatum(trigger->tg_newtuple);
  }
  RefuseBuiltIn(trigger, trigger->tg_trigtuple);
  return PointerGetDatum(trigger->tg_trigtuple);
}

PG_FUNCTION_INFO_V1(idgen_sql_create_generator);
PGDLLEXPORT Datum idgen_sql_create_generator(PG_FUNCTION_ARGS) {
  const char* name = NameArgument(fcinfo);
  const core::Definition definition = pg::DefinitionOfArguments(fcinfo, 1);
  pg::CheckIssuable(definition);
  pg::CheckServerCanIssue(definition);
  if (definition.layout.epoch_ms >= core::MsOf(io::WallUs()))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the epoch of a generator can't be to come"),
                    errdetail("It is %s.", pg::TimeText(definition.layout.epoch_ms))));
  if (const std::optional<int64_t> end_us = core::EndUs(definition); end_us && *end_us <= io::WallUs())
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the layout's time field has run out already"),
             errdetail("Its %d bits end at %s.", definition.layout.time.width, pg::TimeText(core::MsOf(*end_us))),
             errhint("Give it more bits, or a later epoch.")));
  CheckRoom(definition.layout);

  Oid types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, INTERVALOID, INT4OID, INT4OID, TEXTOID};
  Datum values[lengthof(types)];
  char nulls[lengthof(types)];
  for (int i = 0; i < static_cast<int>(lengthof(types)); ++i) {
    values[i] = PG_GETARG_DATUM(i);
    nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
  }
  values[0] = CStringGetTextDatum(name);
  SPI_connect();
  if (RunQuery(fcinfo,
               "INSERT INTO %s.%s (name, layout, epoch, unit, region_id, app_id, comment) "
               "VALUES ($1, coalesce($2, 'snowflake'), $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
               pg::kGeneratorTable, lengthof(types), types, values, nulls) == 0)
    ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("generator \"%s\" already exists", name)));
  RunQuery(fcinfo, "SELECT * FROM %s.%s WHERE name = $1", "idgen_generators", 1, types, values, nulls);
  const HeapTupleHeader row = SPI_returntuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
  SPI_finish();
  PG_RETURN_HEAPTUPLEHEADER(row);
}

PG_FUNCTION_INFO_V1(idgen_sql_drop_generator);
PGDLLEXPORT Datum idgen_sql_drop_generator(PG_FUNCTION_ARGS) {
  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(0));
  Oid types[] = {TEXTOID};
  Datum values[] = {PG_GETARG_DATUM(0)};
  SPI_connect();
  const int dropped =
      RunQuery(fcinfo, "DELETE FROM %s.%s WHERE name = $1", pg::kGeneratorTable, 1, types, values, nullptr);
  SPI_finish();
  if (dropped == 0 && !PG_GETARG_BOOL(1)) RaiseMissing(name);
  PG_RETURN_BOOL(dropped > 0);
}

PG_FUNCTION_INFO_V1(idgen_sql_comment_generator);
PGDLLEXPORT Datum idgen_sql_comment_generator(PG_FUNCTION_ARGS) {
  const char* name = NameArgument(fcinfo);
  Oid types[] = {TEXTOID, TEXTOID};
  Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
  const char nulls[] = {' ', PG_ARGISNULL(1) ? 'n' : ' '};
  SPI_connect();
  const int changed =
      RunQuery(fcinfo, "UPDATE %s.%s SET comment = $2 WHERE name = $1", pg::kGeneratorTable, 2, types, values, nulls);
  SPI_finish();
  if (changed == 0) RaiseMissing(name);
  PG_RETURN_VOID();
}

}  // extern "C"
