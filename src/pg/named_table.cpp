// Looking a definition up by its name: the session's copy, the table.
#include "pg/named_table.h"

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

// The session's copies, emptied where definitions may have changed.
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

// The name in a buffer of NAMEDATALEN. One that is too long for any row names none.
void ReadName(const NamedTable& table, const text* given, char* name) {
  const auto length = static_cast<Size>(VARSIZE_ANY_EXHDR(given));
  if (length >= NAMEDATALEN) {
    const int shown = pg_mbcliplen(VARDATA_ANY(given), static_cast<int>(length), NAMEDATALEN - 1);
    RaiseNotNamed(table, psprintf("%.*s...", shown, VARDATA_ANY(given)), true);
  }
  memset(name, 0, NAMEDATALEN);
  memcpy(name, VARDATA_ANY(given), length);
}

}  // namespace

void RaiseNotNamed(const NamedTable& table, const char* name, bool to_be_used) {
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("%s \"%s\" does not exist", table.kind, name),
                  to_be_used ? errhint("The view %s lists them; idgen_create_%s() makes one.", table.view, table.kind)
                             : errhint("The view %s lists them.", table.view)));
}

void ReadNameOfRow(const NamedTable& table, HeapTuple row, TupleDesc descriptor, char* name) {
  bool is_null;
  ReadName(table, DatumGetTextPP(heap_getattr(row, kNameColumn, descriptor, &is_null)), name);
}

bool BelongsToExtension(FunctionCallInfo fcinfo, Oid relation) {
  const Oid extension = getExtensionOfObject(ProcedureRelationId, fcinfo->flinfo->fn_oid);
  return OidIsValid(extension) && getExtensionOfObject(RelationRelationId, relation) == extension;
}

Oid NamedTableOid(FunctionCallInfo fcinfo, const NamedTable& table, bool missing_ok) {
  const Oid schema = get_func_namespace(fcinfo->flinfo->fn_oid);
  Oid oid = OidIsValid(schema) ? get_relname_relid(table.name, schema) : InvalidOid;
  // Before the extension has such a table anybody may make one of that name.
  if (OidIsValid(oid) && !BelongsToExtension(fcinfo, oid)) oid = InvalidOid;
  if (!OidIsValid(oid) && !missing_ok)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("this database has no table \"%s\"", table.name),
             errhint("ALTER EXTENSION idgen UPDATE makes it.")));
  return oid;
}

void* FetchNamed(FunctionCallInfo fcinfo, NamedTable& table, const text* given) {
  char name[NAMEDATALEN];
  ReadName(table, given, name);
  if (!table.MayBeStale())
    if (void* known = hash_search(table.entries, name, HASH_FIND, nullptr)) return known;

  const Oid oid = NamedTableOid(fcinfo, table, false);
  const Relation relation = table_open(oid, AccessShareLock);  // invalidations sent so far have arrived then
  Watch(table, oid);
  HTAB* entries = Entries(table);
  ScanKeyData key;
  ScanKeyInit(&key, kNameColumn, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
  const SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 1, &key);
  const HeapTuple row = systable_getnext(scan);
  if (!HeapTupleIsValid(row)) RaiseNotNamed(table, name, true);
  void* found = palloc0(table.entry_size);
  table.read_row(row, RelationGetDescr(relation), found);
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  void* entry = hash_search(entries, name, HASH_ENTER, nullptr);
  memcpy(entry, found, table.entry_size);
  pfree(found);
  return entry;
}

}  // namespace idgen::pg
