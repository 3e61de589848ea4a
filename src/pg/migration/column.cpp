// Validates a column and runs statements on it.
#include "pg/migration/column.h"

#include <cstring>

namespace idgen::pg {
namespace {

// `text` names the column in messages.
void CheckType(const Column& column, const char* text, Oid type, bool generated) {
  if (generated)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s is a generated column", text),
                    errhint("ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION turns it into an ordinary column.")));
  const Oid base = getBaseType(type);
  if (base == INT8OID) return;
  const bool narrow = base == INT2OID || base == INT4OID;
  ereport(ERROR,
          (errcode(ERRCODE_DATATYPE_MISMATCH),
           errmsg("%s is of type %s, which cannot hold 64-bit ids", text, format_type_be(type)),
           narrow ? errhint("Use ALTER TABLE %s ALTER COLUMN %s TYPE bigint, likewise for columns that reference it.",
                            column.table, column.name)
                  : errhint("Use a column of type bigint.")));
}

Oid OwnerOfTable(Oid table) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", table);
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

}  // namespace

uint64 Execute(const char* sql) {
  const int result = SPI_execute(sql, false, 0);
  if (result < 0) elog(ERROR, "idgen: \"%s\" failed: %s", sql, SPI_result_code_string(result));
  return SPI_processed;
}

const char* ExtensionSchema(FunctionCallInfo fcinfo) {
  return quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)));
}

int SeeAllRows() {
  const int settings = NewGUCNestLevel();
  (void)set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  return settings;
}

Column LockColumn(Oid table, const char* name, const char* lock_mode) {
  const char kind = get_rel_relkind(table);
  if (kind == '\0')
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table with OID %u does not exist", table)));
  const char* schema = get_namespace_name(get_rel_namespace(table));
  Column column = {.table_oid = table,
                   .number = InvalidAttrNumber,
                   .table = quote_qualified_identifier(schema, get_rel_name(table)),
                   .name = quote_identifier(pstrdup(name)),
                   .identity = false};
  if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("%s is not a table", column.table)));
  // Rows newer than the transaction's snapshot would not be visible.
  if (IsolationUsesXactSnapshot())
    ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                    errmsg("cannot see all rows of table %s in this transaction", column.table),
                    errdetail("The transaction's isolation level hides rows that were committed after it began."),
                    errhint("Use the isolation level READ COMMITTED.")));
  Execute(psprintf("LOCK TABLE %s IN %s MODE", column.table, lock_mode));
  if (get_relname_relid(get_rel_name(table), get_rel_namespace(table)) != table ||
      strcmp(column.table,
             quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), get_rel_name(table))) != 0)
    ereport(ERROR,
            (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), errmsg("table %s was concurrently renamed", column.table)));
  column.number = get_attnum(table, name);
  if (column.number <= 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("table %s has no column %s", column.table, column.name)));
  const HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(table), Int16GetDatum(column.number));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for column %d of relation %u", column.number, table);
  const auto* attribute = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
  const Oid type = attribute->atttypid;
  const bool generated = attribute->attgenerated != '\0';
  column.identity = attribute->attidentity != '\0';
  ReleaseSysCache(tuple);
  CheckType(column, psprintf("column %s of table %s", column.name, column.table), type, generated);
  return column;
}

Caller BecomeOwner(const Column& column) {
  Caller caller = {};
  GetUserIdAndSecContext(&caller.user, &caller.security_context);
  const Oid owner = OwnerOfTable(column.table_oid);
  caller.changed = owner != caller.user && OwnsTable(column.table_oid, caller.user);
  if (caller.changed)
    SetUserIdAndSecContext(owner, caller.security_context | SECURITY_LOCAL_USERID_CHANGE |
                                      SECURITY_RESTRICTED_OPERATION |
                                      (has_bypassrls_privilege(caller.user) ? SECURITY_NOFORCE_RLS : 0));
  return caller;
}

void BecomeCaller(const Caller& caller) {
  if (caller.changed) SetUserIdAndSecContext(caller.user, caller.security_context);
}

const char* OwnedSequence(const Column& column) {
  const List* sequences = getOwnedSequences(column.table_oid);
  ListCell* cell;
  foreach (cell, sequences) {
    Oid owner;
    int32 number;
    const Oid sequence = lfirst_oid(cell);
    if (sequenceIsOwned(sequence, DEPENDENCY_AUTO, &owner, &number) && number == column.number)
      return quote_qualified_identifier(get_namespace_name(get_rel_namespace(sequence)), get_rel_name(sequence));
  }
  return nullptr;
}

}  // namespace idgen::pg
