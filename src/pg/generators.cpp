// Looking a generator up: the call site's copy, the session's, the table; and claiming its line in shared memory.
#include "pg/generators.h"

#include "io/clock.h"
#include "pg/definition.h"
#include "pg/describe.h"
#include "pg/errors.h"
#include "pg/lease_settings.h"
#include "pg/settings.h"
#include "pg/shmem.h"

#include <cstring>

namespace idgen::pg {

uint64 generator_count = 1;

namespace {

HTAB* session_cache = nullptr;
uint64 session_cache_count = 0;  // the generator_count that it is of
Oid watched_table = InvalidOid;

void OnInvalidation(Datum, Oid relation) {
  if (relation == InvalidOid || relation == watched_table) ++generator_count;
}

void WatchTable(Oid table) {
  static bool registered = false;
  if (!registered) CacheRegisterRelcacheCallback(OnInvalidation, Int32GetDatum(0));
  registered = true;
  if (watched_table != table) ++generator_count;
  watched_table = table;
}

// The session's copies, emptied where definitions may have changed.
HTAB* SessionCache() {
  if (session_cache != nullptr && session_cache_count == generator_count) return session_cache;
  if (session_cache != nullptr) hash_destroy(session_cache);
  session_cache = nullptr;
  HASHCTL control = {};
  control.keysize = NAMEDATALEN;
  control.entrysize = sizeof(Generator);
  session_cache = hash_create("idgen generators", 16, &control, HASH_ELEM | HASH_STRINGS);
  session_cache_count = generator_count;
  return session_cache;
}

[[noreturn]] void RaiseNoGenerator(const char* name) {
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("generator \"%s\" does not exist", name),
                  errhint("The view idgen_generators lists them; idgen_create_generator() makes one.")));
}

// The name in a buffer of NAMEDATALEN. One that is too long for any generator names none.
void ReadName(const text* given, char* name) {
  const auto length = static_cast<Size>(VARSIZE_ANY_EXHDR(given));
  if (length >= NAMEDATALEN) {
    const int shown = pg_mbcliplen(VARDATA_ANY(given), static_cast<int>(length), NAMEDATALEN - 1);
    RaiseNoGenerator(psprintf("%.*s...", shown, VARDATA_ANY(given)));
  }
  memset(name, 0, NAMEDATALEN);
  memcpy(name, VARDATA_ANY(given), length);
}

void ReadRow(HeapTuple row, TupleDesc descriptor, Generator* generator) {
  bool is_null;
  memset(static_cast<void*>(generator), 0, sizeof *generator);
  ReadName(DatumGetTextPP(heap_getattr(row, kNameColumn, descriptor, &is_null)), generator->name);
  generator->definition = DefinitionOfRow(row, descriptor);
  generator->end = core::EndOfIds(generator->definition.layout);
  generator->line = kNoLine;
}

// From the session's cache, or the table.
Generator* LookUp(FunctionCallInfo fcinfo, const char* name) {
  if (session_cache != nullptr && session_cache_count == generator_count)
    if (void* known = hash_search(session_cache, name, HASH_FIND, nullptr)) return static_cast<Generator*>(known);

  const Oid oid = GeneratorTableOid(fcinfo, false);
  const Relation table = table_open(oid, AccessShareLock);  // invalidations sent so far have arrived then
  WatchTable(oid);
  HTAB* cache = SessionCache();
  ScanKeyData key;
  ScanKeyInit(&key, kNameColumn, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
  const SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 1, &key);
  const HeapTuple row = systable_getnext(scan);
  if (!HeapTupleIsValid(row)) RaiseNoGenerator(name);
  Generator found;
  ReadRow(row, RelationGetDescr(table), &found);
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  auto* entry = static_cast<Generator*>(hash_search(cache, name, HASH_ENTER, nullptr));
  *entry = found;
  return entry;
}

int64 IdClockMs(const core::ServerState& server) noexcept {
  using core::PlainMemory;
  if (PlainMemory::Load(server.clock_state, core::Step::kReadClock) == 0) return core::MsOf(io::WallUs());
  return core::MsOf(io::BootUs() + core::ClockOffsetUs<PlainMemory>(server));
}

// The line of the generator's layout, made where there is none.
uint32 ClaimLine(const Generator& generator) {
  Shared* shared = SharedState();
  if (shared == nullptr) RaiseNotPreloaded();
  core::ServerState& server = shared->server;
  const core::Layout layout = core::LineLayout(generator.definition.layout);
  core::Line* line = core::FindLine<core::PlainMemory>(server, layout);
  if (line == nullptr) {
    CheckServerCanIssue(generator.definition);
    // A line whose epoch is to come would issue the id 0, and lift what a clean stop releases.
    if (layout.epoch_ms >= IdClockMs(server))
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("no id can be given: the epoch of generator \"%s\" is still to come", generator.name),
                      errdetail("It is %s.", TimeText(layout.epoch_ms))));
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    line = core::FindOrMakeLine<core::PlainMemory>(server, layout, static_cast<uint64>(MaxGenerators()));
    LWLockRelease(shared->lock);
  }
  if (line == nullptr)
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             errmsg("no id can be given: the server has no room for another layout"),
             errdetail("Generator \"%s\" would be the first of its layout since the server was started, and %d are in "
                       "use, those of dropped generators and of other databases among them.",
                       generator.name, MaxGenerators()),
             errhint("Raise \"idgen.max_generators\" and restart the server.")));
  return static_cast<uint32>(line - server.lines);
}

}  // namespace

bool IsConstant(FunctionCallInfo fcinfo, int argument) {
  const Node* call = fcinfo->flinfo->fn_expr;
  if (call == nullptr || !IsA(call, FuncExpr)) return false;
  const List* arguments = reinterpret_cast<const FuncExpr*>(call)->args;
  return argument < list_length(arguments) && IsA(list_nth(arguments, argument), Const);
}

bool BelongsToExtension(FunctionCallInfo fcinfo, Oid table) {
  const Oid extension = getExtensionOfObject(ProcedureRelationId, fcinfo->flinfo->fn_oid);
  return OidIsValid(extension) && getExtensionOfObject(RelationRelationId, table) == extension;
}

Oid GeneratorTableOid(FunctionCallInfo fcinfo, bool missing_ok) {
  const Oid schema = get_func_namespace(fcinfo->flinfo->fn_oid);
  Oid table = OidIsValid(schema) ? get_relname_relid(kGeneratorTable, schema) : InvalidOid;
  // Before the extension has such a table anybody may make one of that name.
  if (OidIsValid(table) && !BelongsToExtension(fcinfo, table)) table = InvalidOid;
  if (!OidIsValid(table) && !missing_ok)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this database has no table \"%s\"", kGeneratorTable),
                    errhint("ALTER EXTENSION idgen UPDATE makes it.")));
  return table;
}

core::Definition DefinitionOfRow(HeapTuple row, TupleDesc descriptor) {
  Datum values[kGeneratorColumns];
  bool nulls[kGeneratorColumns];
  for (int column = 1; column <= kGeneratorColumns; ++column)
    values[column - 1] = heap_getattr(row, column, descriptor, &nulls[column - 1]);
  const auto given = [&nulls](GeneratorColumn column) { return !nulls[column - 1]; };
  const TimestampTz epoch = given(kEpochColumn) ? DatumGetTimestampTz(values[kEpochColumn - 1]) : 0;
  const int32 region = given(kRegionColumn) ? DatumGetInt32(values[kRegionColumn - 1]) : 0;
  const int32 app = given(kAppColumn) ? DatumGetInt32(values[kAppColumn - 1]) : 0;
  const core::Definition definition =
      ParseDefinition({.layout = given(kLayoutColumn) ? DatumGetTextPP(values[kLayoutColumn - 1]) : nullptr,
                       .epoch = given(kEpochColumn) ? &epoch : nullptr,
                       .unit = given(kUnitColumn) ? DatumGetIntervalP(values[kUnitColumn - 1]) : nullptr,
                       .region = given(kRegionColumn) ? &region : nullptr,
                       .app = given(kAppColumn) ? &app : nullptr});
  CheckIssuable(definition);
  return definition;
}

void CheckServerCanIssue(const core::Definition& definition) {
  const core::Layout& layout = definition.layout;
  const bool leased = WorkerNumberSource() == lease::NumberSource::kLease;
  LeaseConfig config;
  char problem[256];
  const bool leases = leased && ReadLeaseConfig(&config, problem, sizeof problem);
  if (leased && MaxWorkers() > layout.worker.MaxValue() + 1)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the layout's worker field is smaller than the range that this server leases from"),
                    errdetail("It has %d bits, for %llu worker ids; \"idgen.max_workers\" is %u.", layout.worker.width,
                              static_cast<unsigned long long>(layout.worker.MaxValue() + 1), MaxWorkers()),
                    errhint("Give the field more bits, or lower \"idgen.max_workers\" on all servers of the prefix.")));
  const WorkerId worker = leased ? WorkerId{} : ResolveWorkerId();
  if (worker.had && !layout.worker.Fits(worker.number))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this server's worker id %u does not fit the layout", worker.number),
                    errdetail("The layout's worker field has %d bits, for worker ids from 0 to %llu.",
                              layout.worker.width, static_cast<unsigned long long>(layout.worker.MaxValue())),
                    errhint("Give the field more bits, or the server a smaller \"idgen.worker_id\".")));
  const int64 window_ms = leases ? config.window_ms : CurrentSettings().window_ms;
  const int64 longest_ms = window_ms / 2 + CurrentSettings().max_ahead_ms;
  if (layout.unit_ms > longest_ms)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("a tick of %lld ms is too long for this server", static_cast<long long>(layout.unit_ms)),
             errdetail("It can be %lld ms: half of \"%s\" and \"idgen.max_ahead\".", static_cast<long long>(longest_ms),
                       leased ? "idgen.lease_window" : "idgen.ceiling_window"),
             errhint("Make the unit shorter, or the window longer.")));
}

const Generator& FetchGenerator(FunctionCallInfo fcinfo, int argument, bool issues) {
  char name[NAMEDATALEN];
  ReadName(PG_GETARG_TEXT_PP(argument), name);
  Generator* generator = LookUp(fcinfo, name);
  if (issues && generator->line == kNoLine) generator->line = ClaimLine(*generator);
  return *generator;
}

GeneratorSite& FindGenerator(FunctionCallInfo fcinfo, int argument, bool issues) {
  auto* site = static_cast<GeneratorSite*>(fcinfo->flinfo->fn_extra);
  const text* given = PG_GETARG_TEXT_PP(argument);
  if (site != nullptr && site->count == generator_count) {
    const auto length = static_cast<Size>(VARSIZE_ANY_EXHDR(given));
    if (length < NAMEDATALEN && site->generator.name[length] == '\0' &&
        memcmp(site->generator.name, VARDATA_ANY(given), length) == 0)
      return *site;
  }
  const Generator& generator = FetchGenerator(fcinfo, argument, issues);
  if (site == nullptr) {
    site = static_cast<GeneratorSite*>(MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(GeneratorSite)));
    site->constant = IsConstant(fcinfo, argument);
    fcinfo->flinfo->fn_extra = site;
  }
  site->generator = generator;
  site->count = session_cache_count;
  return *site;
}

Generator* AllGenerators(FunctionCallInfo fcinfo, int* count) {
  *count = 0;
  const Oid oid = GeneratorTableOid(fcinfo, true);
  if (!OidIsValid(oid)) return nullptr;
  const Relation table = table_open(oid, AccessShareLock);
  const SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  int room = 16;
  auto* all = static_cast<Generator*>(palloc(sizeof(Generator) * static_cast<Size>(room)));
  for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan)); ++*count) {
    if (*count == room) all = static_cast<Generator*>(repalloc(all, sizeof(Generator) * static_cast<Size>(room *= 2)));
    ReadRow(row, RelationGetDescr(table), &all[*count]);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return all;
}

}  // namespace idgen::pg
