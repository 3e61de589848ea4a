// Looks up generators, in the call site's copy, the session's cache or the table, and claims their lines.
#include "pg/generators/generators.h"

#include "io/clock.h"
#include "pg/base/locks.h"
#include "pg/base/preload.h"
#include "pg/base/settings.h"
#include "pg/base/shared_memory.h"
#include "pg/base/timestamp.h"
#include "pg/generators/definition.h"
#include "pg/lease/settings.h"

#include <cstring>

namespace idgen::pg {

namespace {

void ReadRow(HeapTuple row, TupleDesc descriptor, void* entry) {
  auto* generator = static_cast<Generator*>(entry);
  ReadNameOfRow(generators, row, descriptor, generator->name);
  generator->definition = DefinitionOfRow(row, descriptor);
  generator->end = core::EndOfIds(generator->definition.layout);
  generator->line = kNoLine;
}

int64 IdClockMs(const core::ServerState& server) noexcept {
  using core::PlainMemory;
  if (PlainMemory::Load(server.clock_state, core::Step::kReadClock) == 0) return core::MsOf(io::WallUs());
  return core::MsOf(io::BootUs() + core::ClockOffsetUs<PlainMemory>(server));
}

// The number of lines that this database was the first to use. The caller holds the lock.
int OwnLines(const Shared& shared) {
  IDGEN_CHECK(LWLockHeldByMe(&shared.lock));
  int own = 0;
  for (uint64 i = 0; i < shared.server.line_count.load(); ++i)
    if (shared.line_database[i] == MyDatabaseId) ++own;
  return own;
}

[[noreturn]] void RaiseShareUsed(const Generator& generator, int own) {
  ereport(
      ERROR,
      (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
       errmsg("could not issue an id: too many layouts in database \"%s\"", get_database_name(MyDatabaseId)),
       errdetail("The database was the first to use %d layouts since the server started, including those of dropped "
                 "generators. Generator \"%s\" needs another one, but \"idgen.max_generators_per_database\" is %d.",
                 own, generator.name, MaxGeneratorsPerDatabase()),
       errhint("A superuser can raise the setting for the database with ALTER DATABASE. A restart frees the layouts of "
               "dropped generators.")));
}

[[noreturn]] void RaiseServerFull(const Generator& generator, int own) {
  ereport(
      ERROR,
      (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("could not issue an id: too many layouts on this server"),
       errdetail("Generator \"%s\" needs another layout, but %d have been used since the server started, including "
                 "those of dropped generators; %d of them were first used by this database.",
                 generator.name, MaxGenerators(), own),
       errhint("Raise \"idgen.max_generators\" and restart the server.")));
}

// The line of the generator's layout, created if necessary.
uint32 ClaimLine(const Generator& generator) {
  Shared* shared = SharedState();
  if (shared == nullptr) RaiseNotPreloaded();
  core::ServerState& server = shared->server;
  const core::Layout layout = core::LineLayout(generator.definition.layout);
  core::Line* line = core::FindLine<core::PlainMemory>(server, layout);
  if (line != nullptr) return static_cast<uint32>(line - server.lines);
  CheckServerCanIssue(generator.definition);
  // A line with an epoch in the future would issue the id 0, and raise the ceiling that a clean stop releases.
  if (layout.epoch_ms >= IdClockMs(server))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("could not issue an id: the epoch of generator \"%s\" is in the future", generator.name),
                    errdetail("The epoch is %s.", TimeText(layout.epoch_ms))));
  AcquireLock(&shared->lock, LW_EXCLUSIVE);
  const int own = OwnLines(*shared);
  const uint64 before = server.line_count.load();
  const bool has_share = own < MaxGeneratorsPerDatabase();
  line = has_share ? core::FindOrMakeLine<core::PlainMemory>(server, layout, static_cast<uint64>(MaxGenerators()))
                   : core::FindLine<core::PlainMemory>(server, layout);
  if (line != nullptr && server.line_count.load() > before) shared->line_database[before] = MyDatabaseId;
  LWLockRelease(&shared->lock);
  if (line == nullptr && !has_share) RaiseShareUsed(generator, own);
  if (line == nullptr) RaiseServerFull(generator, own);
  return static_cast<uint32>(line - server.lines);
}

}  // namespace

constexpr Oid kTypes[kGeneratorColumns] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, INTERVALOID,
                                           INT4OID, INT4OID, TEXTOID,        BOOLOID};

NamedTable generators = {.kind = "generator",
                         .name = "idgen_generator",
                         .view = "idgen_generators",
                         .comment_column = kCommentColumn,
                         .built_in_column = kBuiltInColumn,
                         .types = kTypes,
                         .entry_size = sizeof(Generator),
                         .read_row = ReadRow};

bool IsConstant(FunctionCallInfo fcinfo, int argument) {
  const Node* call = fcinfo->flinfo->fn_expr;
  if (call == nullptr || !IsA(call, FuncExpr)) return false;
  const List* arguments = reinterpret_cast<const FuncExpr*>(call)->args;
  return argument < list_length(arguments) && IsA(list_nth(arguments, argument), Const);
}

core::GeneratorDefinition DefinitionOfRow(HeapTuple row, TupleDesc descriptor) {
  Datum values[kGeneratorColumns];
  bool nulls[kGeneratorColumns];
  for (int column = 1; column <= kGeneratorColumns; ++column)
    values[column - 1] = heap_getattr(row, column, descriptor, &nulls[column - 1]);
  const auto given = [&nulls](GeneratorColumn column) { return !nulls[column - 1]; };
  const TimestampTz epoch = given(kEpochColumn) ? DatumGetTimestampTz(values[kEpochColumn - 1]) : 0;
  const int32 region = given(kRegionColumn) ? DatumGetInt32(values[kRegionColumn - 1]) : 0;
  const int32 app = given(kAppColumn) ? DatumGetInt32(values[kAppColumn - 1]) : 0;
  const core::GeneratorDefinition definition =
      ParseDefinition({.layout = given(kLayoutColumn) ? DatumGetTextPP(values[kLayoutColumn - 1]) : nullptr,
                       .epoch = given(kEpochColumn) ? &epoch : nullptr,
                       .unit = given(kUnitColumn) ? DatumGetIntervalP(values[kUnitColumn - 1]) : nullptr,
                       .region = given(kRegionColumn) ? &region : nullptr,
                       .app = given(kAppColumn) ? &app : nullptr});
  CheckIssuable(definition);
  return definition;
}

void CheckServerCanIssue(const core::GeneratorDefinition& definition) {
  const core::Layout& layout = definition.layout;
  const bool leased = WorkerNumberSource() == lease::NumberSource::kLease;
  LeaseConfig config;
  char problem[256];
  const bool leases = leased && ReadLeaseConfig(&config, problem, sizeof problem);
  if (leased && MaxWorkers() > layout.worker.MaxValue() + 1)
    ereport(
        ERROR,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         errmsg("the layout's worker field is too small for leased worker ids"),
         errdetail("The field has %d bits and holds %llu worker ids; \"idgen.max_workers\" is %u.", layout.worker.width,
                   static_cast<unsigned long long>(layout.worker.MaxValue() + 1), MaxWorkers()),
         errhint("Give the field more bits, or lower \"idgen.max_workers\" on all servers that share the prefix.")));
  const WorkerId worker = leased ? WorkerId{} : ResolveWorkerId();
  if (worker.had && !layout.worker.Fits(worker.number))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this server's worker id %u does not fit the layout", worker.number),
                    errdetail("The layout's worker field has %d bits and holds worker ids from 0 to %llu.",
                              layout.worker.width, static_cast<unsigned long long>(layout.worker.MaxValue())),
                    errhint("Give the field more bits, or the server a smaller \"idgen.worker_id\".")));
  const int64 window_ms = leases ? config.window_ms : CurrentIdSettings().window_ms;
  const int64 longest_ms = window_ms / 2 + CurrentIdSettings().max_ahead_ms;
  if (layout.unit_ms > longest_ms)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("a tick of %lld ms is too long for this server", static_cast<long long>(layout.unit_ms)),
             errdetail("The maximum is %lld ms: half of \"%s\" plus \"idgen.max_ahead\".",
                       static_cast<long long>(longest_ms), leased ? "idgen.lease_window" : "idgen.ceiling_window"),
             errhint("Use a shorter unit or a longer window.")));
}

const Generator& FetchGenerator(FunctionCallInfo fcinfo, int argument, bool issues) {
  auto* generator = static_cast<Generator*>(FetchNamed(fcinfo, generators, PG_GETARG_TEXT_PP(argument)));
  if (issues && generator->line == kNoLine) generator->line = ClaimLine(*generator);
  return *generator;
}

GeneratorSite& FindGenerator(FunctionCallInfo fcinfo, int argument, bool issues) {
  auto* site = static_cast<GeneratorSite*>(fcinfo->flinfo->fn_extra);
  const text* given = PG_GETARG_TEXT_PP(argument);
  if (site != nullptr && site->count == generators.count) {
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
  site->count = generators.entries_count;
  return *site;
}

Generator* AllGenerators(FunctionCallInfo fcinfo, int* count) {
  *count = 0;
  const Relation table = OpenNamed(fcinfo, generators, AccessShareLock);
  const SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  int capacity = 16;
  auto* all = static_cast<Generator*>(palloc(sizeof(Generator) * static_cast<Size>(capacity)));
  for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan)); ++*count) {
    if (*count == capacity)
      all = static_cast<Generator*>(repalloc(all, sizeof(Generator) * static_cast<Size>(capacity *= 2)));
    memset(static_cast<void*>(&all[*count]), 0, sizeof(Generator));
    ReadRow(row, RelationGetDescr(table), &all[*count]);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return all;
}

}  // namespace idgen::pg
