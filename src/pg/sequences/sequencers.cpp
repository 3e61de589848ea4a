// Looks up sequencers in the session's cache or the table, and validates their definitions.
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
    Refuse("invalid sequencer TTL",
           psprintf("The TTL is %s; it must be from 1 ms to 36500 days, in whole milliseconds and without months.",
                    DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&ttl)))));
  return us / 1000;
}

bool IsSliding(const text* mode) {
  const std::string_view given(VARDATA_ANY(mode), static_cast<size_t>(VARSIZE_ANY_EXHDR(mode)));
  if (given == kSliding) return true;
  if (given != kFromFirstUse)
    Refuse("invalid sequencer \"ttl_mode\"", psprintf("The mode is \"%s\"; it must be \"%s\" or \"%s\".",
                                                      text_to_cstring(mode), kFromFirstUse, kSliding));
  return false;
}

void Check(const sequencer::Definition& definition) {
  using sequencer::Fault;
  switch (sequencer::Validate(definition)) {
    case Fault::kStep:
      return Refuse("invalid sequencer step",
                    psprintf("The step is %s; it must be 1 or more.", Number(definition.step)));
    case Fault::kStart:
      return Refuse("invalid sequencer start",
                    psprintf("The start is %s; it must be 0 or more.", Number(definition.start)));
    case Fault::kMaxBelowStart:
      return Refuse(
          "sequencer maximum is below its start",
          psprintf("The maximum is %s; the start is %s.", Number(definition.max_value), Number(definition.start)));
    case Fault::kMaxBelowStep:
      return Refuse(
          "sequencer maximum is below its step",
          psprintf("The maximum is %s; the step is %s.", Number(definition.max_value), Number(definition.step)));
    case Fault::kCache:
      return Refuse("invalid sequencer cache", psprintf("The cache is %d; it must be from 1 to %d values.",
                                                        definition.cache, sequencer::kMaxCache));
    case Fault::kSegments:
      return Refuse(psprintf("sequencer with a %s cannot have a cache", definition.cycle ? "cycle" : "TTL"),
                    psprintf("A server would continue to issue its cached values after %s.",
                             definition.cycle ? "other servers have started over" : "the key has expired"),
                    "Omit \"cache\". Every call then goes to the store.", ERRCODE_FEATURE_NOT_SUPPORTED);
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
    Refuse("invalid sequencer \"key_prefix\"",
           psprintf("The prefix must have 1 to %zu bytes and no braces.", sequencer::kMaxPrefixBytes));
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
