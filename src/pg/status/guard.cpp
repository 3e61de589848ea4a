// idgen_guard(): a trigger on replicated rows that warns if another server issues this server's ids.
//
// It must never stop the replication that it watches: rows that it cannot interpret pass. Everything it needs is in the
// trigger's arguments: the column, and the layout's fields, epoch (Unix ms), unit (us) and fixed bits.
#include "pg/status/guard.h"

#include "core/generator_definition.h"
#include "io/clock.h"
#include "pg/base/locks.h"
#include "pg/base/log_limit.h"
#include "pg/base/shared_memory.h"
#include "pg/base/timestamp.h"
#include "pg/generators/generators.h"
#include "pg/migration/column.h"

#include <cstdlib>
#include <cstring>
#include <optional>

using namespace idgen;

namespace {

enum Argument { kColumn, kFields, kEpoch, kUnit, kFixed, kArguments };

constexpr int64 kNoteEveryUs = core::kUsPerSecond;

bool IsImplicitCast(const Node* node) {
  return IsA(node, FuncExpr) && reinterpret_cast<const FuncExpr*>(node)->funcformat == COERCE_IMPLICIT_CAST;
}

// The name of the generator that the column's default calls, "" for the default generator; nullptr if it calls none.
const char* GeneratorOfDefault(FunctionCallInfo fcinfo, Relation relation, int column) {
  Node* node = build_column_default(relation, column);
  // Skip casts to the column's type, even to one that cannot hold ids: LockColumn() raises that error.
  while (node != nullptr && (IsA(node, CoerceToDomain) || IsImplicitCast(node)))
    node = IsA(node, CoerceToDomain) ? reinterpret_cast<Node*>(reinterpret_cast<CoerceToDomain*>(node)->arg)
                                     : static_cast<Node*>(linitial(reinterpret_cast<FuncExpr*>(node)->args));
  if (node == nullptr || !IsA(node, FuncExpr)) return nullptr;
  const auto* call = reinterpret_cast<const FuncExpr*>(node);
  const Oid extension = getExtensionOfObject(ProcedureRelationId, fcinfo->flinfo->fn_oid);
  const char* name = get_func_name(call->funcid);
  if (name == nullptr || strcmp(name, "idgen_next") != 0 || !OidIsValid(extension) ||
      getExtensionOfObject(ProcedureRelationId, call->funcid) != extension)
    return nullptr;
  if (call->args == NIL) return "";
  const auto* argument = static_cast<const Const*>(linitial(call->args));
  // The extension's owner may add a function of that name with a different argument to the extension.
  if (!IsA(argument, Const) || argument->consttype != TEXTOID || argument->constisnull) return nullptr;
  return TextDatumGetCString(argument->constvalue);
}

// The only column with such a default.
const char* ColumnWithIds(FunctionCallInfo fcinfo, Relation relation) {
  const TupleDesc descriptor = RelationGetDescr(relation);
  const char* found = nullptr;
  int count = 0;
  for (int column = 1; column <= descriptor->natts; ++column) {
    const auto* attribute = TupleDescAttr(descriptor, column - 1);
    if (attribute->attisdropped || attribute->attgenerated != '\0' || attribute->attidentity != '\0' ||
        GeneratorOfDefault(fcinfo, relation, column) == nullptr)
      continue;
    found = pstrdup(NameStr(attribute->attname));
    ++count;
  }
  if (count == 1) return found;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("could not determine the id column of table \"%s\"", RelationGetRelationName(relation)),
                  errdetail("The number of columns with idgen_next() as default is %d, not 1.", count),
                  errhint("Give the column as the second argument of idgen_guard().")));
}

core::GeneratorDefinition DefinitionOfColumn(FunctionCallInfo fcinfo, Relation relation, int column) {
  if (!PG_ARGISNULL(2)) return pg::FetchGenerator(fcinfo, 2, false).definition;
  const char* name = GeneratorOfDefault(fcinfo, relation, column);
  if (name == nullptr || *name == '\0') return {};
  return static_cast<const pg::Generator*>(pg::FetchNamed(fcinfo, pg::generators, cstring_to_text(name)))->definition;
}

bool ReadNumber(const char* text, int64* number) {
  char* end = nullptr;
  errno = 0;
  *number = strtoll(text, &end, 10);
  return errno == 0 && end != text && *end == '\0';
}

std::optional<core::GeneratorDefinition> DefinitionOfTrigger(const Trigger* trigger) {
  core::GeneratorDefinition definition;
  int64 fixed;
  if (trigger->tgnargs != kArguments ||
      core::ParseLayout(trigger->tgargs[kFields], &definition.layout).kind != core::LayoutError::Kind::kNone ||
      !ReadNumber(trigger->tgargs[kEpoch], &definition.layout.epoch_ms) ||
      !ReadNumber(trigger->tgargs[kUnit], &definition.unit_us) || !ReadNumber(trigger->tgargs[kFixed], &fixed))
    return std::nullopt;
  definition.layout.unit_ms = definition.unit_us / core::kUsPerMs;
  definition.layout.fixed = static_cast<uint64>(fixed);
  if (core::Issuable(definition) != core::Obstacle::kNone) return std::nullopt;
  return definition;
}

// Whether this server may have issued the id, or may yet, since it got its worker id.
bool IsOurs(const core::GeneratorDefinition& definition, uint64 id, const pg::Shared& shared) {
  const core::Identity identity(shared.server.identity.load());
  const core::Layout& layout = definition.layout;
  if (!identity || (id & ~core::IdMask(layout)) != 0 || layout.worker.Get(id) != identity.worker()) return false;
  const uint64 fixed_bits = layout.region.Put(layout.region.MaxValue()) | layout.app.Put(layout.app.MaxValue());
  if ((id & fixed_bits) != layout.fixed) return false;
  const std::optional<int64_t> time_us = core::TimestampUs(definition, id);
  return time_us && core::MsOf(*time_us) >= static_cast<int64>(shared.worker_since_ms.load());
}

void Raise(pg::Shared& shared, Relation relation, int64 id) {
  static int64 noted_us = 0;
  static pg::LogLimit log_limit;
  const int64 boot_us = io::BootUs();
  const uint32 worker = core::Identity(shared.server.identity.load()).worker();
  if (noted_us == 0 || boot_us - noted_us >= kNoteEveryUs) {
    noted_us = boot_us;
    const pg::GuardAlarm alarm = {.database = MyDatabaseId,
                                  .table = RelationGetRelid(relation),
                                  .worker = worker,
                                  .id = id,
                                  .at = GetCurrentTimestamp()};
    pg::AcquireLock(&shared.lock, LW_EXCLUSIVE);
    pg::GuardAlarm* slot = &shared.status.alarms[0];
    for (pg::GuardAlarm& each : shared.status.alarms) {
      if (each.database == alarm.database) {
        slot = &each;
        break;
      }
      if (each.at < slot->at) slot = &each;
    }
    *slot = alarm;
    LWLockRelease(&shared.lock);
  }
  if (!log_limit.Allows(boot_us)) return;
  ereport(
      WARNING,
      (errmsg("table \"%s\" receives ids by replication that this server also issues",
              RelationGetRelationName(relation)),
       errdetail("Id %lld has this server's worker id, %u, and a time at which this server held it.",
                 static_cast<long long>(id), worker),
       errhint("Another live server uses the same worker id. Give one of the two another worker id, then look for ids "
               "that both have issued.")));
}

// Whether this is the initial copy of a subscribed table, whose rows are old.
bool IsInitialCopy() { return MyBgworkerEntry != nullptr && strstr(MyBgworkerEntry->bgw_name, " sync ") != nullptr; }

void CheckRow(const TriggerData& fired, pg::Shared& shared) {
  const std::optional<core::GeneratorDefinition> definition = DefinitionOfTrigger(fired.tg_trigger);
  if (!definition) return;
  const TupleDesc descriptor = RelationGetDescr(fired.tg_relation);
  const int column = SPI_fnumber(descriptor, fired.tg_trigger->tgargs[kColumn]);
  if (column <= 0) {
    static pg::LogLimit limit;
    if (limit.Allows(io::BootUs()))
      ereport(WARNING, (errmsg("guard of table \"%s\" is ineffective", RelationGetRelationName(fired.tg_relation)),
                        errdetail("The table no longer has a column \"%s\".", fired.tg_trigger->tgargs[kColumn]),
                        errhint("Drop the trigger \"%s\" and call idgen_guard() for the column under its new name.",
                                fired.tg_trigger->tgname)));
    return;
  }
  if (getBaseType(TupleDescAttr(descriptor, column - 1)->atttypid) != INT8OID) return;
  bool is_null;
  const Datum value = heap_getattr(fired.tg_trigtuple, column, descriptor, &is_null);
  if (is_null || !IsOurs(*definition, static_cast<uint64>(DatumGetInt64(value)), shared)) return;
  Raise(shared, fired.tg_relation, DatumGetInt64(value));
}

}  // namespace

namespace idgen::pg {

const GuardAlarm* AlarmOfDatabase(const GuardAlarm (&alarms)[kGuardAlarms]) {
  for (const GuardAlarm& alarm : alarms)
    if (alarm.database == MyDatabaseId && OidIsValid(alarm.database))
      return GetCurrentTimestamp() - alarm.at < kGuardAlarmUs ? &alarm : nullptr;
  return nullptr;
}

}  // namespace idgen::pg

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_guard);
PGDLLEXPORT Datum idgen_sql_guard(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("table must not be null")));
  SPI_connect();
  const Oid table = PG_GETARG_OID(0);
  const char kind = get_rel_relkind(table);
  const Relation relation =
      kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE ? table_open(table, AccessShareLock) : nullptr;
  const char* named = !PG_ARGISNULL(1)      ? NameStr(*PG_GETARG_NAME(1))
                      : relation != nullptr ? ColumnWithIds(fcinfo, relation)
                                            : "";
  const pg::Column column = pg::LockColumn(table, named, "SHARE ROW EXCLUSIVE");
  const core::GeneratorDefinition definition = DefinitionOfColumn(fcinfo, relation, column.number);
  table_close(relation, NoLock);

  char fields[core::kLayoutTextBytes];
  core::WriteLayout(definition.layout, fields);
  char* name = psprintf("idgen_guard_%s", named);
  name[pg_mbcliplen(name, static_cast<int>(strlen(name)), NAMEDATALEN - 1)] = '\0';
  pg::Execute(
      psprintf("CREATE OR REPLACE TRIGGER %s BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION "
               "%s.idgen_guard_row(%s, %s, '%lld', '%lld', '%lld')",
               quote_identifier(name), column.table, pg::ExtensionSchema(fcinfo), quote_literal_cstr(named),
               quote_literal_cstr(fields), static_cast<long long>(definition.layout.epoch_ms),
               static_cast<long long>(definition.unit_us), static_cast<long long>(definition.layout.fixed)));
  pg::Execute(psprintf("ALTER TABLE %s ENABLE REPLICA TRIGGER %s", column.table, quote_identifier(name)));
  auto* result = static_cast<NameData*>(SPI_palloc(sizeof(NameData)));
  namestrcpy(result, name);
  SPI_finish();
  PG_RETURN_NAME(result);
}

PG_FUNCTION_INFO_V1(idgen_sql_guard_row);
PGDLLEXPORT Datum idgen_sql_guard_row(PG_FUNCTION_ARGS) {
  const auto* fired = reinterpret_cast<const TriggerData*>(fcinfo->context);
  if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(fired->tg_event) || !TRIGGER_FIRED_FOR_ROW(fired->tg_event) ||
      !TRIGGER_FIRED_BY_INSERT(fired->tg_event))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("idgen_guard_row() must be fired BEFORE INSERT, FOR EACH ROW"),
                    errhint("idgen_guard() creates such a trigger.")));
  // A table's owner can create such a trigger; only superusers and replication can fire it in the replica role.
  pg::Shared* shared = pg::SharedState();
  if (shared != nullptr && SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA && !IsInitialCopy())
    CheckRow(*fired, *shared);
  return PointerGetDatum(fired->tg_trigtuple);
}

}  // extern "C"
