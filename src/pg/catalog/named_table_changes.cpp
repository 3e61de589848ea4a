// Changes of a table of definitions: its trigger, which validates rows and invalidates the sessions' caches; creating
// and dropping rows.
#include "pg/catalog/named_table.h"

#include <cstring>

namespace idgen::pg {
namespace {

const char* NameOf(HeapTuple row, TupleDesc descriptor) {
  bool is_null;
  const Datum name = heap_getattr(row, kNameColumn, descriptor, &is_null);
  return is_null ? "" : TextDatumGetCString(name);
}

bool IsBuiltIn(const NamedTable& table, HeapTuple row, TupleDesc descriptor) {
  bool is_null;
  const Datum built_in = heap_getattr(row, table.built_in_column, descriptor, &is_null);
  return !is_null && DatumGetBool(built_in);
}

void CheckName(const NamedTable& table, const char* name) {
  if (*name == '\0' || strlen(name) >= NAMEDATALEN)
    ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid %s name", table.kind),
                    errdetail("The name has %zu bytes; it must have 1 to %d.", strlen(name), NAMEDATALEN - 1)));
}

void RefuseBuiltIn(const NamedTable& table, HeapTuple row, TupleDesc descriptor) {
  if (IsBuiltIn(table, row, descriptor) && !creating_extension)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("%s \"%s\" is built in", table.kind, NameOf(row, descriptor)),
             errdetail("Built-in %ss come with the extension and cannot be created, changed or dropped.", table.kind)));
}

// The row to insert; nullptr to skip a row that is present already.
HeapTuple ValidateNew(const NamedTable& table, const NamedTrigger& trigger, HeapTuple row, TupleDesc descriptor) {
  CheckName(table, NameOf(row, descriptor));
  bool is_default;
  HeapTuple kept = trigger.validate_new(row, descriptor, &is_default);
  // A subscriber to all tables of another database receives that database's built-in row, but has its own.
  if (is_default && !creating_extension && IsBuiltIn(table, row, descriptor) &&
      strcmp(NameOf(row, descriptor), kDefaultName) == 0)
    return nullptr;
  RefuseBuiltIn(table, row, descriptor);
  return kept;
}

// Only the comment may change.
void CheckChange(const NamedTable& table, const NamedTrigger& trigger, HeapTuple before, HeapTuple after,
                 TupleDesc descriptor) {
  for (int column = 1; column <= table.built_in_column; ++column) {
    if (column == table.comment_column) continue;
    bool was_null, is_null;
    const Datum was = heap_getattr(before, column, descriptor, &was_null);
    const Datum is = heap_getattr(after, column, descriptor, &is_null);
    const auto* attribute = TupleDescAttr(descriptor, column - 1);
    if (was_null == is_null && (was_null || datum_image_eq(was, is, attribute->attbyval, attribute->attlen))) continue;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("%s \"%s\" cannot be changed", table.kind, NameOf(before, descriptor)),
                    errdetail("Only the comment can be changed, not column \"%s\".%s", NameStr(attribute->attname),
                              trigger.why_fixed),
                    errhint("%s", trigger.instead)));
  }
}

// How many columns the arguments of a function that creates a row give.
int CreationColumns(const NamedTable& table) { return table.built_in_column - 1; }

// False if the name exists. Only the owner of the function may write to the table. If an error is raised, ending the
// (sub)transaction restores the caller's user id.
bool InsertNamed(FunctionCallInfo fcinfo, const NamedTable& table, const NamedCreation& creation) {
  const int count = CreationColumns(table);
  auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(count)));
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count)));
  auto* nulls = static_cast<char*>(palloc(static_cast<Size>(count)));
  for (int i = 0; i < count; ++i) {
    types[i] = table.types[i];
    values[i] = PG_GETARG_DATUM(i);
    nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
  }
  Oid caller;
  int context;
  GetUserIdAndSecContext(&caller, &context);
  SetUserIdAndSecContext(OwnerOfFunction(fcinfo), context | SECURITY_LOCAL_USERID_CHANGE);
  SPI_connect();
  const int made =
      QueryNamed(fcinfo, table, psprintf("%s ON CONFLICT DO NOTHING", creation.insert), count, types, values, nulls);
  SPI_finish();
  SetUserIdAndSecContext(caller, context);
  return made > 0;
}

void ReportExisting(const NamedTable& table, const char* name, bool is_same) {
  if (is_same)
    ereport(NOTICE,
            (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("%s \"%s\" already exists, skipping", table.kind, name)));
  else
    ereport(WARNING, (errcode(ERRCODE_DUPLICATE_OBJECT),
                      errmsg("%s \"%s\" already exists with a different definition, skipping", table.kind, name),
                      errdetail("See the view %s for the existing definition, which is not changed.", table.view)));
}

}  // namespace

Datum RunNamedTrigger(FunctionCallInfo fcinfo, const NamedTable& table, const NamedTrigger& trigger) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR,
            (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("function was not called by trigger manager")));
  const auto* fired = reinterpret_cast<const TriggerData*>(fcinfo->context);
  const Relation relation = fired->tg_relation;
  if (strcmp(RelationGetRelationName(relation), table.name) != 0 ||
      !BelongsToExtension(fcinfo, RelationGetRelid(relation)))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("trigger function can only be used on table \"%s\" of the extension", table.name)));
  CheckNamed(fcinfo, table, relation);
  CacheInvalidateRelcache(relation);
  const TupleDesc descriptor = RelationGetDescr(relation);
  const TriggerEvent event = fired->tg_event;
  if (!TRIGGER_FIRED_FOR_ROW(event))
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("table \"%s\" cannot be truncated", table.name),
             errdetail("The built-in %s must not be removed.", table.kind),
             errhint("Use DELETE FROM %s.%s WHERE NOT built_in.", kCatalogSchema, table.name)));
  if (TRIGGER_FIRED_BY_INSERT(event))
    return PointerGetDatum(ValidateNew(table, trigger, fired->tg_trigtuple, descriptor));
  if (TRIGGER_FIRED_BY_UPDATE(event)) {
    CheckChange(table, trigger, fired->tg_trigtuple, fired->tg_newtuple, descriptor);
    return PointerGetDatum(fired->tg_newtuple);
  }
  RefuseBuiltIn(table, fired->tg_trigtuple, descriptor);
  return PointerGetDatum(fired->tg_trigtuple);
}

const char* NameArgument(FunctionCallInfo fcinfo, const NamedTable& table) {
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s name must not be null", table.kind)));
  const char* name = text_to_cstring(PG_GETARG_TEXT_PP(0));
  CheckName(table, name);
  return name;
}

int QueryNamed(FunctionCallInfo fcinfo, const NamedTable& table, const char* sql, int count, Oid* types, Datum* values,
               const char* nulls) {
  table_close(OpenNamed(fcinfo, table, RowExclusiveLock), NoLock);
  const int result = SPI_execute_with_args(sql, count, types, values, nulls, false, 0);
  if (result < 0) elog(ERROR, "idgen: query failed: %s", SPI_result_code_string(result));
  return static_cast<int>(SPI_processed);
}

Datum CreateNamed(FunctionCallInfo fcinfo, const NamedTable& table, const NamedCreation& creation) {
  const char* name = NameArgument(fcinfo, table);
  const int last = CreationColumns(table);
  const bool if_not_exists = !PG_ARGISNULL(last) && PG_GETARG_BOOL(last);
  const Relation relation = OpenNamed(fcinfo, table, RowExclusiveLock);
  const TupleDesc descriptor = RelationGetDescr(relation);
  HeapTuple row = if_not_exists ? FindNamedRow(relation, name) : nullptr;
  bool is_new = false;
  if (row == nullptr) {
    creation.check_new(fcinfo);
    is_new = InsertNamed(fcinfo, table, creation);
    if (!is_new && !if_not_exists)
      ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("%s \"%s\" already exists", table.kind, name)));
    row = FindNamedRow(relation, name);
    if (row == nullptr)
      ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                      errmsg("%s \"%s\" was concurrently dropped", table.kind, name)));
  }
  if (!is_new) ReportExisting(table, name, creation.is_same(fcinfo, row, descriptor));
  const Datum result = creation.make_result(fcinfo, row, descriptor);
  table_close(relation, NoLock);
  return result;
}

Datum DropNamed(FunctionCallInfo fcinfo, const NamedTable& table) {
  Oid types[] = {TEXTOID};
  Datum values[] = {PG_GETARG_DATUM(0)};
  SPI_connect();
  const int dropped = QueryNamed(
      fcinfo, table, psprintf("DELETE FROM %s.%s WHERE name OPERATOR(pg_catalog.=) $1", kCatalogSchema, table.name), 1,
      types, values, nullptr);
  SPI_finish();
  if (dropped == 0 && !PG_GETARG_BOOL(1)) RaiseUndefined(table, text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
  PG_RETURN_BOOL(dropped > 0);
}

Datum CommentOnNamed(FunctionCallInfo fcinfo, const NamedTable& table) {
  const char* name = NameArgument(fcinfo, table);
  Oid types[] = {TEXTOID, TEXTOID};
  Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
  const char nulls[] = {' ', PG_ARGISNULL(1) ? 'n' : ' '};
  SPI_connect();
  const int changed = QueryNamed(
      fcinfo, table,
      psprintf("UPDATE %s.%s SET comment = $2 WHERE name OPERATOR(pg_catalog.=) $1", kCatalogSchema, table.name), 2,
      types, values, nulls);
  SPI_finish();
  if (changed == 0) RaiseUndefined(table, name, false);
  PG_RETURN_VOID();
}

}  // namespace idgen::pg
