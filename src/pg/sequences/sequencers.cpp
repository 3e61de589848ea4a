// Looking a sequencer up: the session's copy, the table.
#include "pg/sequences/sequencers.h"

#include <cstring>

namespace idgen::pg {
namespace {

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
      return Refuse(psprintf("a sequencer with a %s cannot have a cache", definition.cycle ? "cycle" : "TTL"),
                    psprintf("It would be of %d values, which a server would go on giving %s.", definition.cache,
                             definition.cycle ? "after others have begun again" : "after the key has expired"),
                    "Leave \"cache\" out: every call is a step in the store then.", ERRCODE_FEATURE_NOT_SUPPORTED);
    case Fault::kTtl:
    case Fault::kNone: break;
  }
}

void ReadRow(HeapTuple row, TupleDesc descriptor, void* entry) {
  auto* sequencer = static_cast<Sequencer*>(entry);
  ReadNameOfRow(sequencers, row, descriptor, sequencer->name);
  sequencer->definition = DefinitionOfSequencerRow(row, descriptor);
  PrefixOfRow(row, descriptor, sequencer->prefix);
}

}  // namespace

constexpr Oid kTypes[kSequencerColumns] = {TEXTOID,     TEXTOID, INT8OID, INT8OID, INT8OID, BOOLOID,
                                           INTERVALOID, TEXTOID, INT4OID, TEXTOID, BOOLOID};

NamedTable sequencers = {.kind = "sequencer",
                         .name = "idgen_sequencer",
                         .view = "idgen_sequencers",
                         .comment_column = kSequencerComment,
                         .built_in_column = kSequencerBuiltIn,
                         .types = kTypes,
                         .entry_size = sizeof(Sequencer),
                         .read_row = ReadRow};

void PrefixOfRow(HeapTuple row, TupleDesc descriptor, char (&prefix)[sequencer::kPrefixBuffer]) {
  bool is_null;
  const Datum chosen = heap_getattr(row, kSequencerPrefix, descriptor, &is_null);
  if (!is_null) {
    strlcpy(prefix, TextDatumGetCString(chosen), sizeof prefix);
    return;
  }
  char name[NAMEDATALEN];
  ReadNameOfRow(sequencers, row, descriptor, name);
  sequencer::WriteDefaultPrefix(get_database_name(MyDatabaseId), name, prefix);
}

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

const Sequencer& FetchSequencer(FunctionCallInfo fcinfo, int argument) {
  return *static_cast<Sequencer*>(FetchNamed(fcinfo, sequencers, PG_GETARG_TEXT_PP(argument)));
}

}  // namespace idgen::pg
