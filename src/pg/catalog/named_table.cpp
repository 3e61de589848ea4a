// Looks up a definition by name, in the session's cache or the table, and checks the table.
#include "pg/catalog/named_table.h"

#include <cstring>

namespace idgen::pg {
namespace {

void OnInvalidation(Datum table, Oid relation) {
  auto& invalid = *reinterpret_cast<NamedTable*>(DatumGetPointer(table));
  if (relation == InvalidOid || relation == invalid.watched) ++invalid.count;
}

void Watch(NamedTable& table, Oid oid) {
  if (table.watched == InvalidOid) CacheRegisterRelcacheCallback(OnInvalidation, PointerGetDatum(&table));
  if (table.watched != oid) ++table.count;
  table.watched = oid;
}

// The session's cache, emptied if definitions may have changed.
HTAB* Entries(NamedTable& table) {
  if (!table.MayBeStale()) return table.entries;
  table.entries_count = 0;
  if (table.entries != nullptr) hash_destroy(table.entries);
  table.entries = nullptr;
  HASHCTL control = {};
  control.keysize = NAMEDATALEN;
  control.entrysize = table.entry_size;
  table.entries = hash_create(table.name, 16, &control, HASH_ELEM | HASH_STRINGS);
  table.entries_count = table.count;
  return table.entries;
}

// Copies the name to a buffer of NAMEDATALEN. No row has a longer name.
void ReadName(const NamedTable& table, const text* given, char* name) {
  const auto length = static_cast<Size>(VARSIZE_ANY_EXHDR(given));
  if (length >= NAMEDATALEN) {
    const int shown = pg_mbcliplen(VARDATA_ANY(given), static_cast<int>(length), NAMEDATALEN - 1);
    RaiseUndefined(table, psprintf("%.*s...", shown, VARDATA_ANY(given)), true);
  }
  memset(name, 0, NAMEDATALEN);
  memcpy(name, VARDATA_ANY(given), length);
}

bool HasColumns(const NamedTable& table, TupleDesc descriptor) {
  if (descriptor->natts < table.built_in_column) return false;
  for (int i = 0; i < table.built_in_column; ++i) {
    const auto* attribute = TupleDescAttr(descriptor, i);
    if (attribute->attisdropped || attribute->atttypid != table.types[i]) return false;
  }
  return true;
}

}  // namespace

Oid OwnerOfFunction(FunctionCallInfo fcinfo) {
  const Oid function = fcinfo->flinfo->fn_oid;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", function);
  const Oid owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proowner;
  ReleaseSysCache(tuple);
  return owner;
}

void RaiseUndefined(const NamedTable& table, const char* name, bool to_be_used) {
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("%s \"%s\" does not exist", table.kind, name),
                  to_be_used ? errhint("See the view %s, or create it with idgen_create_%s().", table.view, table.kind)
                             : errhint("See the view %s.", table.view)));
}

void ReadNameOfRow(const NamedTable& table, HeapTuple row, TupleDesc descriptor, char* name) {
  bool is_null;
  ReadName(table, DatumGetTextPP(heap_getattr(row, kNameColumn, descriptor, &is_null)), name);
}

bool BelongsToExtension(FunctionCallInfo fcinfo, Oid relation) {
  const Oid extension = getExtensionOfObject(ProcedureRelationId, fcinfo->flinfo->fn_oid);
  return OidIsValid(extension) && getExtensionOfObject(RelationRelationId, relation) == extension;
}

Relation OpenNamed(FunctionCallInfo fcinfo, const NamedTable& table, LOCKMODE mode) {
  const Oid schema = get_namespace_oid(kCatalogSchema, true);
  const Oid oid = OidIsValid(schema) ? get_relname_relid(table.name, schema) : InvalidOid;
  if (!OidIsValid(oid))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this database has no table \"%s.%s\"", kCatalogSchema, table.name),
                    errhint("Run CREATE EXTENSION idgen to create it.")));
  const Relation relation = table_open(oid, mode);
  CheckNamed(fcinfo, table, relation);
  return relation;
}

void CheckNamed(FunctionCallInfo fcinfo, const NamedTable& table, Relation relation) {
  const char* problem = nullptr;
  if (relation->rd_rel->relkind != RELKIND_RELATION || !BelongsToExtension(fcinfo, RelationGetRelid(relation)))
    problem = "It is not a table of the extension.";
  else if (relation->rd_rel->relowner != OwnerOfFunction(fcinfo))
    problem = "Its owner is not the owner of the extension's functions.";
  else if (!HasColumns(table, RelationGetDescr(relation)))
    problem = "Its columns differ from those that the extension created.";
  if (problem == nullptr) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("table \"%s\" is not as the extension created it", RelationGetRelationName(relation)),
                  errdetail("%s", problem), errhint("Undo the change, or drop the extension and create it again.")));
}

HeapTuple FindNamedRow(Relation relation, const char* name) {
  ScanKeyData key;
  ScanKeyInit(&key, kNameColumn, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
  const SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 1, &key);
  const HeapTuple row = systable_getnext(scan);
  const HeapTuple copy = HeapTupleIsValid(row) ? heap_copytuple(row) : nullptr;
  systable_endscan(scan);
  return copy;
}

void* FetchNamed(FunctionCallInfo fcinfo, NamedTable& table, const text* given) {
  char name[NAMEDATALEN];
  ReadName(table, given, name);
  if (!table.MayBeStale())
    if (void* known = hash_search(table.entries, name, HASH_FIND, nullptr)) return known;

  const Relation relation = OpenNamed(fcinfo, table, AccessShareLock);  // this also processes pending invalidations
  Watch(table, RelationGetRelid(relation));
  HTAB* entries = Entries(table);
  const HeapTuple row = FindNamedRow(relation, name);
  if (row == nullptr) RaiseUndefined(table, name, true);
  void* found = palloc0(table.entry_size);
  table.read_row(row, RelationGetDescr(relation), found);
  heap_freetuple(row);
  table_close(relation, AccessShareLock);
  void* entry = hash_search(entries, name, HASH_ENTER, nullptr);
  memcpy(entry, found, table.entry_size);
  pfree(found);
  return entry;
}

}  // namespace idgen::pg
