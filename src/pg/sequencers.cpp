// Looking a sequencer up: the session's copy, the table.
#include "pg/sequencers.h"

#include "pg/generators.h"

#include <cstring>

namespace idgen::pg {
namespace {

HTAB* session_cache = nullptr;
Oid watched_table = InvalidOid;
bool may_be_stale = true;

void OnInvalidation(Datum, Oid relation) {
  if (relation == InvalidOid || relation == watched_table) may_be_stale = true;
}

void WatchTable(Oid table) {
  static bool registered = false;
  if (!registered) CacheRegisterRelcacheCallback(OnInvalidation, Int32GetDatum(0));
  registered = true;
  if (watched_table != table) may_be_stale = true;
  watched_table = table;
}

// The session's copies, emptied where definitions may have changed.
HTAB* SessionCache() {
  if (session_cache != nullptr && !may_be_stale) return session_cache;
  if (session_cache != nullptr) hash_destroy(session_cache);
  session_cache = nullptr;
  HASHCTL control = {};
  control.keysize = NAMEDATALEN;
  control.entrysize = sizeof(Sequencer);
  session_cache = hash_create("idgen sequencers", 16, &control, HASH_ELEM | HASH_STRINGS);
  may_be_stale = false;
  return session_cache;
}

[[noreturn]] void RaiseNoSequencer(const char* name) {
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("sequencer \"%s\" does not exist", name),
                  errhint("The view idgen_sequencers lists them; idgen_create_sequencer() makes one.")));
}

[[noreturn]] void Refuse(const char* message, const char* detail, const char* hint = nullptr,
                         int code = ERRCODE_INVALID_PARAMETER_VALUE) {
  ereport(ERROR, (errcode(code), errmsg("%s", message), errdetail("%s", detail), hint ? errhint("%s", hint) : 0));
}

const char* Number(int64 number) { return psprintf("%lld", static_cast<long long>(number)); }

int64 TtlMs(const Interval& ttl) {
  int64 us;
  const bool fits = ttl.month == 0 && !__builtin_mul_overflow(int64{ttl.day}, USECS_PER_DAY, &us) &&
                    !__builtin_add_overflow(us, ttl.time, &us) && us >= 1000 && us % 1000 == 0 &&
                    us / 1000 <= sequencer::kMaxTtlMs;
  if (!fits)
    Refuse("invalid TTL of a sequencer",
           psprintf("It is %s; it can be from 1 ms to 36500 days, in whole milliseconds and without months.",
                    DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&ttl)))));
  return us / 1000;
}

bool IsSliding(const text* mode) {
  const std::string_view given(VARDATA_ANY(mode), static_cast<size_t>(VARSIZE_ANY_EXHDR(mode)));
  if (given == kSliding) return true;
  if (given != kFromFirstUse)
    Refuse("invalid \"ttl_mode\" of a sequencer",
           psprintf("It is \"%s\"; it can be \"%s\" or \"%s\".", text_to_cstring(mode), kFromFirstUse, kSliding));
  return false;
}

void Check(const sequencer::Definition& definition) {
  using sequencer::Fault;
  switch (sequencer::Judge(definition)) {
    case Fault::kStep:
      return Refuse("invalid step of a sequencer",
                    psprintf("It is %s; it must be 1 or more: sequences only grow.", Number(definition.step)));
    case Fault::kStart:
      return Refuse("invalid start of a sequencer",
                    psprintf("It is %s; values are 0 or more.", Number(definition.start)));
    case Fault::kMaxBelowStart:
      return Refuse("the maximum of a sequencer is below its start",
                    psprintf("It is %s, and the start is %s.", Number(definition.max_value), Number(definition.start)));
    case Fault::kMaxBelowStep:
      return Refuse("the maximum of a sequencer is below its step",
                    psprintf("It is %s, and the step is %s.", Number(definition.max_value), Number(definition.step)));
    case Fault::kCache:
      return Refuse("invalid cache of a sequencer",
                    psprintf("It is %d; it can be from 1 to %d values.", definition.cache, sequencer::kMaxCache));
    case Fault::kSegments:
      return Refuse(psprintf("a sequencer with a %s can't have a cache", definition.cycle ? "cycle" : "TTL"),
                    psprintf("It would be of %d values, which a server would go on giving %s.", definition.cache,
                             definition.cycle ? "after others have begun again" : "after the key has expired"),
                    "Leave \"cache\" out: every call is a step in the store then.", ERRCODE_FEATURE_NOT_SUPPORTED);
    case Fault::kTtl:
    case Fault::kNone: break;
  }
}

// The name in a buffer of NAMEDATALEN. One that is too long for any sequencer names none.
void ReadName(const text* given, char* name) {
  const auto length = static_cast<Size>(VARSIZE_ANY_EXHDR(given));
  if (length >= NAMEDATALEN) {
    const int shown = pg_mbcliplen(VARDATA_ANY(given), static_cast<int>(length), NAMEDATALEN - 1);
    RaiseNoSequencer(psprintf("%.*s...", shown, VARDATA_ANY(given)));
  }
  memset(name, 0, NAMEDATALEN);
  memcpy(name, VARDATA_ANY(given), length);
}

void ReadRow(HeapTuple row, TupleDesc descriptor, const char* name, Sequencer* sequencer) {
  memset(static_cast<void*>(sequencer), 0, sizeof *sequencer);
  strlcpy(sequencer->name, name, sizeof sequencer->name);
  sequencer->definition = DefinitionOfSequencerRow(row, descriptor);
  bool is_null;
  const Datum prefix = heap_getattr(row, kSequencerPrefix, descriptor, &is_null);
  if (is_null)
    sequencer::WriteDefaultPrefix(get_database_name(MyDatabaseId), name, sequencer->prefix);
  else
    strlcpy(sequencer->prefix, TextDatumGetCString(prefix), sizeof sequencer->prefix);
}

const Sequencer& LookUp(FunctionCallInfo fcinfo, const char* name) {
  const Oid schema = get_func_namespace(fcinfo->flinfo->fn_oid);
  const Oid oid = OidIsValid(schema) ? get_relname_relid(kSequencerTable, schema) : InvalidOid;
  if (!OidIsValid(oid) || !BelongsToExtension(fcinfo, oid))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("this database has no table \"%s\"", kSequencerTable),
                    errhint("ALTER EXTENSION idgen UPDATE makes it.")));
  const Relation table = table_open(oid, AccessShareLock);  // invalidations sent so far have arrived then
  WatchTable(oid);
  HTAB* cache = SessionCache();
  ScanKeyData key;
  ScanKeyInit(&key, kSequencerName, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
  const SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 1, &key);
  const HeapTuple row = systable_getnext(scan);
  if (!HeapTupleIsValid(row)) RaiseNoSequencer(name);
  Sequencer found;
  ReadRow(row, RelationGetDescr(table), name, &found);
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  auto* entry = static_cast<Sequencer*>(hash_search(cache, name, HASH_ENTER, nullptr));
  *entry = found;
  return *entry;
}

}  // namespace

sequencer::Definition ParseSequencer(const SequencerText& given) {
  sequencer::Definition definition;
  if (given.prefix != nullptr &&
      !sequencer::MayBePrefix({VARDATA_ANY(given.prefix), static_cast<size_t>(VARSIZE_ANY_EXHDR(given.prefix))}))
    Refuse("invalid \"key_prefix\" of a sequencer",
           psprintf("It must have 1 to %zu bytes, and none of the braces that a Redis Cluster looks for.",
                    sequencer::kMaxPrefixBytes));
  if (given.start != nullptr) definition.start = *given.start;
  if (given.step != nullptr) definition.step = *given.step;
  if (given.max_value != nullptr) definition.max_value = *given.max_value;
  if (given.cycle != nullptr) definition.cycle = *given.cycle;
  if (given.ttl != nullptr) definition.ttl_ms = TtlMs(*given.ttl);
  if (given.ttl_mode != nullptr) definition.sliding = IsSliding(given.ttl_mode);
  if (given.cache != nullptr) definition.cache = *given.cache;
  Check(definition);
  return definition;
}

sequencer::Definition DefinitionOfSequencerRow(HeapTuple row, TupleDesc descriptor) {
  Datum values[kSequencerColumns];
  bool nulls[kSequencerColumns];
  for (int column = 1; column <= kSequencerColumns; ++column)
    values[column - 1] = heap_getattr(row, column, descriptor, &nulls[column - 1]);
  const auto given = [&nulls](SequencerColumn column) { return !nulls[column - 1]; };
  const auto number = [&](SequencerColumn column) { return given(column) ? DatumGetInt64(values[column - 1]) : 0; };
  const int64 start = number(kSequencerStart), step = number(kSequencerStep), max_value = number(kSequencerMaxValue);
  const bool cycle = given(kSequencerCycle) && DatumGetBool(values[kSequencerCycle - 1]);
  const int32 cache = given(kSequencerCache) ? DatumGetInt32(values[kSequencerCache - 1]) : 1;
  return ParseSequencer({.prefix = given(kSequencerPrefix) ? DatumGetTextPP(values[kSequencerPrefix - 1]) : nullptr,
                         .start = &start,
                         .step = &step,
                         .max_value = &max_value,
                         .cycle = &cycle,
                         .ttl = given(kSequencerTtl) ? DatumGetIntervalP(values[kSequencerTtl - 1]) : nullptr,
                         .ttl_mode = given(kSequencerTtlMode) ? DatumGetTextPP(values[kSequencerTtlMode - 1]) : nullptr,
                         .cache = &cache});
}

bool SequencersMayBeStale() noexcept { return session_cache == nullptr || may_be_stale; }

const Sequencer& FetchSequencer(FunctionCallInfo fcinfo, int argument) {
  char name[NAMEDATALEN];
  ReadName(PG_GETARG_TEXT_PP(argument), name);
  if (session_cache != nullptr && !may_be_stale)
    if (void* known = hash_search(session_cache, name, HASH_FIND, nullptr)) return *static_cast<Sequencer*>(known);
  return LookUp(fcinfo, name);
}

}  // namespace idgen::pg
