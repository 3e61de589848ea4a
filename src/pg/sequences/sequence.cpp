// idgen_sequence() and its companions: turn arguments into an operation, and its answer into values or an error.
#include "pg/base/preload.h"
#include "pg/base/shared_memory.h"
#include "pg/sequence_host/values.h"
#include "pg/sequences/sequence_store.h"
#include "pg/sequences/sequencers.h"

#include <cstring>
#include <new>

using namespace idgen;

namespace {

using sequencer::Answer;
using sequencer::Operation;
using Outcome = sequencer::Answer::Outcome;

constexpr int kMaxKeys = 10000;

// Called before the store is used: without shared memory there are no marks, so repeated values would go unnoticed.
void RequirePreload() {
  if (pg::SharedState() == nullptr) pg::RaiseNotPreloaded();
}

// The name of a key in the store; `buffer` has kMaxStoreKeyBytes.
sequencer::StoreKey ReadKey(const pg::Sequencer& sequencer, const text* key, char* buffer) {
  const auto size = static_cast<size_t>(VARSIZE_ANY_EXHDR(key));
  if (size < 1 || size > sequencer::kMaxKeyBytes)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid sequence key"),
                    errdetail("The key has %zu bytes; it must have 1 to %zu.", size, sequencer::kMaxKeyBytes)));
  return sequencer::WriteStoreKey(sequencer.prefix, {VARDATA_ANY(key), size}, buffer);
}

void CheckCount(const pg::Sequencer& sequencer, int64 count) {
  if (count < 1 || count > sequencer::kMaxCount)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cannot take %lld values", static_cast<long long>(count)),
             errdetail("A call can take 1 to %lld values.", static_cast<long long>(sequencer::kMaxCount))));
  const int64 all = sequencer::CountOf(sequencer.definition);
  if (sequencer.definition.cycle && count > all)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("cannot take %lld values from one cycle", static_cast<long long>(count)),
             errdetail("A cycle of sequencer \"%s\" has %lld values.", sequencer.name, static_cast<long long>(all))));
}

[[noreturn]] void RaiseFull(const pg::Sequencer& sequencer, const Operation& operation, const Answer& answer,
                            const text* key) {
  const sequencer::Definition& definition = operation.definition;
  const auto left = static_cast<long long>(answer.had ? sequencer::LeftAfter(definition, answer.last)
                                                      : sequencer::CountOf(definition));
  const char* last = answer.had ? psprintf("The last value is %lld", static_cast<long long>(answer.last))
                                : "No value has been issued yet";
  ereport(
      ERROR,
      (errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
       errmsg("sequence \"%s\" has too few values left before its maximum", text_to_cstring(key)),
       errdetail("%s and the maximum of sequencer \"%s\" is %lld: %lld %s left, but %lld %s requested. None was taken.",
                 last, sequencer.name, static_cast<long long>(definition.max_value), left, left == 1 ? "is" : "are",
                 static_cast<long long>(operation.count), operation.count == 1 ? "was" : "were"),
       left > 0 ? errhint("Request only as many values as are left.") : 0));
}

// Raises if the answer is an error.
void CheckAnswer(const pg::Sequencer& sequencer, const Operation& operation, const Answer& answer, const text* key,
                 const sequencer::StoreKey& store_key) {
  const auto in_store = [&store_key] {
    const std::string_view name = store_key.value();
    return pnstrdup(name.data(), name.size());
  };
  switch (answer.outcome) {
    case Outcome::kOk: return;
    case Outcome::kFull: RaiseFull(sequencer, operation, answer, key);
    case Outcome::kNotAValue:
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
               errmsg("invalid value in the sequence store for key \"%s\"", text_to_cstring(key)),
               errdetail("The value at \"%s\" is not an integer from 0 to 9223372036854775807.", in_store()),
               errhint("Use idgen_sequence_set() to replace the value, or idgen_sequence_delete_key() to delete it.")));
    case Outcome::kWrongType:
      ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                      errmsg("wrong data type in the sequence store for key \"%s\"", text_to_cstring(key)),
                      errdetail("The value at \"%s\" is not a string; it is left as it is.", in_store()),
                      errhint("Use a \"key_prefix\" that nothing else uses.")));
    case Outcome::kRefused:
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("the sequence store refused key \"%s\"", text_to_cstring(key)),
                      errdetail("The store reported: %s", answer.problem),
                      answer.advice != nullptr ? errhint("%s", answer.advice) : 0));
    case Outcome::kUnasked:
    case Outcome::kMisread: break;
  }
  elog(ERROR, "unexpected reply from the sequence store");
}

// One operation on the key in argument 0 of the sequencer in argument `argument`.
Answer Ask(FunctionCallInfo fcinfo, int argument, Operation operation) {
  RequirePreload();
  const pg::Sequencer sequencer = pg::FetchSequencer(fcinfo, argument);
  const text* key = PG_GETARG_TEXT_PP(0);
  char buffer[sequencer::kMaxStoreKeyBytes];
  const sequencer::StoreKey store_key = ReadKey(sequencer, key, buffer);
  operation.definition = sequencer.definition;
  if (operation.kind == Operation::Kind::kNext) CheckCount(sequencer, operation.count);
  const bool sets = operation.kind == Operation::Kind::kSet || operation.kind == Operation::Kind::kSetIfNone;
  if (sets && !sequencer::MaySet(sequencer.definition, operation.value))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("cannot set a sequence of sequencer \"%s\" to %lld", sequencer.name,
                           static_cast<long long>(operation.value)),
                    errdetail("The last value must be from %lld to %lld.",
                              static_cast<long long>(Max(sequencer.definition.Before(), int64{0})),
                              static_cast<long long>(sequencer.definition.max_value))));
  Answer answer;
  if (sets || operation.kind == Operation::Kind::kDrop)
    answer = pg::ChangeKey(operation, store_key);
  else if (operation.kind == Operation::Kind::kNext)
    pg::AskForValues(operation, &store_key, &answer, 1);
  else
    pg::AskStore(operation, &store_key, &answer, 1, io::BootUs() + pg::StoreTimeoutUs());
  CheckAnswer(sequencer, operation, answer, key, store_key);
  return answer;
}

// The next `count` values of the key in argument 0 of the sequencer in argument `argument`, in the current memory
// context.
void Take(FunctionCallInfo fcinfo, int argument, int64 count, pg::Ranges* taken) {
  const pg::Sequencer sequencer = pg::FetchSequencer(fcinfo, argument);
  const text* key = PG_GETARG_TEXT_PP(0);
  char buffer[sequencer::kMaxStoreKeyBytes];
  const sequencer::StoreKey store_key = ReadKey(sequencer, key, buffer);
  CheckCount(sequencer, count);
  const Operation operation = {.kind = Operation::Kind::kNext, .definition = sequencer.definition, .count = count};
  const Answer answer = pg::TakeValues(sequencer, store_key, count, taken);
  CheckAnswer(sequencer, operation, answer, key, store_key);
  pg::RememberSlot(key, PG_GETARG_TEXT_PP(argument));
  if (taken->values < count)
    ereport(WARNING, (errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
                      errmsg("sequence \"%s\" had %lld values left before its maximum", text_to_cstring(key),
                             static_cast<long long>(taken->values)),
                      errdetail("%lld values were requested.", static_cast<long long>(count))));
}

// The values that a call of idgen_sequence() still has to return.
struct ValueBatch {
  bool in_ranges;
  sequencer::Grant grant;
  pg::Ranges taken;
  int range;
  int64 index;

  int64 Next() noexcept {
    if (!in_ranges) return grant.Value(index++);
    if (index == taken.ranges[range].count) {
      ++range;
      index = 0;
    }
    return taken.ranges[range].first + index++ * grant.step;
  }
};

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_sequence);
PGDLLEXPORT Datum idgen_sql_sequence(PG_FUNCTION_ARGS) {
  if (SRF_IS_FIRSTCALL()) {
    RequirePreload();
    FuncCallContext* call = SRF_FIRSTCALL_INIT();
    const MemoryContext caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
    auto* batch = static_cast<ValueBatch*>(palloc0(sizeof(ValueBatch)));
    const sequencer::Definition definition = pg::FetchSequencer(fcinfo, 2).definition;
    batch->in_ranges = definition.HasSegments();
    if (batch->in_ranges) {
      Take(fcinfo, 2, PG_GETARG_INT64(1), &batch->taken);
      batch->grant.step = definition.step;
      call->max_calls = static_cast<uint64>(batch->taken.values);
    } else {
      batch->grant =
          Ask(fcinfo, 2, {.kind = Operation::Kind::kNext, .definition = {}, .count = PG_GETARG_INT64(1)}).grant;
      call->max_calls = static_cast<uint64>(batch->grant.count);
    }
    call->user_fctx = batch;
    MemoryContextSwitchTo(caller);
  }
  FuncCallContext* call = SRF_PERCALL_SETUP();
  if (call->call_cntr >= call->max_calls) SRF_RETURN_DONE(call);
  CHECK_FOR_INTERRUPTS();
  const int64 value = static_cast<ValueBatch*>(call->user_fctx)->Next();
  SRF_RETURN_NEXT(call, Int64GetDatum(value));  // the macro increments call_cntr before it evaluates its argument
}

PG_FUNCTION_INFO_V1(idgen_sql_sequence_next);
PGDLLEXPORT Datum idgen_sql_sequence_next(PG_FUNCTION_ARGS) {
  int64 value;
  if (likely(pg::TryTakeFromLatestSlot(PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1), &value))) PG_RETURN_INT64(value);
  RequirePreload();
  if (!pg::FetchSequencer(fcinfo, 1).definition.HasSegments())
    PG_RETURN_INT64(Ask(fcinfo, 1, {.kind = Operation::Kind::kNext, .definition = {}}).grant.Value(0));
  pg::Ranges taken;
  Take(fcinfo, 1, 1, &taken);
  PG_RETURN_INT64(taken.ranges[0].first);
}

PG_FUNCTION_INFO_V1(idgen_sql_sequence_next_keys);
PGDLLEXPORT Datum idgen_sql_sequence_next_keys(PG_FUNCTION_ARGS) {
  RequirePreload();
  Datum* given;
  bool* nulls;
  int count;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &given, &nulls, &count);
  if (count > kMaxKeys)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("too many sequence keys: %d", count),
                    errdetail("A call can have at most %d keys.", kMaxKeys)));
  const pg::Sequencer sequencer = pg::FetchSequencer(fcinfo, 1);
  const Operation operation = {.kind = Operation::Kind::kNext, .definition = sequencer.definition};
  auto* keys = static_cast<sequencer::StoreKey*>(palloc(sizeof(sequencer::StoreKey) * static_cast<Size>(count)));
  auto* answers = static_cast<Answer*>(palloc(sizeof(Answer) * static_cast<Size>(count)));
  for (int i = 0; i < count; ++i) {
    if (nulls[i])
      ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("sequence key must not be null"),
                      errdetail("Key %d of %d is null.", i + 1, count)));
    const text* key = DatumGetTextPP(given[i]);
    const auto capacity = strlen(sequencer.prefix) + static_cast<size_t>(VARSIZE_ANY_EXHDR(key)) + 32;
    keys[i] = ReadKey(sequencer, key, static_cast<char*>(palloc(capacity)));
    new (&answers[i]) Answer();
  }
  InitMaterializedSRF(fcinfo, 0);
  if (sequencer.definition.HasSegments()) {
    // One after the other, because most keys have a segment.
    for (int i = 0; i < count; ++i) {
      pg::Ranges taken;
      answers[i] = pg::TakeValues(sequencer, keys[i], 1, &taken);
      if (taken.values > 0) answers[i].grant = {.first = taken.ranges[0].first, .count = 1, .unbroken = 1};
      CheckAnswer(sequencer, operation, answers[i], DatumGetTextPP(given[i]), keys[i]);
      CHECK_FOR_INTERRUPTS();
    }
  } else if (count > 0) {
    pg::AskForValues(operation, keys, answers, count);
  }
  const auto* rows = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  for (int i = 0; i < count; ++i) {
    CheckAnswer(sequencer, operation, answers[i], DatumGetTextPP(given[i]), keys[i]);
    Datum values[] = {given[i], Int64GetDatum(answers[i].grant.Value(0))};
    bool none[] = {false, false};
    tuplestore_putvalues(rows->setResult, rows->setDesc, values, none);
  }
  return Datum{0};
}

PG_FUNCTION_INFO_V1(idgen_sql_sequence_set);
PGDLLEXPORT Datum idgen_sql_sequence_set(PG_FUNCTION_ARGS) {
  const int64 value = PG_GETARG_INT64(1);
  Ask(fcinfo, 2, {.kind = Operation::Kind::kSet, .definition = {}, .value = value});
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(idgen_sql_sequence_set_if_not_exists);
PGDLLEXPORT Datum idgen_sql_sequence_set_if_not_exists(PG_FUNCTION_ARGS) {
  const int64 value = PG_GETARG_INT64(1);
  PG_RETURN_BOOL(Ask(fcinfo, 2, {.kind = Operation::Kind::kSetIfNone, .definition = {}, .value = value}).had);
}

PG_FUNCTION_INFO_V1(idgen_sql_sequence_peek);
PGDLLEXPORT Datum idgen_sql_sequence_peek(PG_FUNCTION_ARGS) {
  const Answer answer = Ask(fcinfo, 1, {.kind = Operation::Kind::kPeek, .definition = {}});
  if (!answer.had) PG_RETURN_NULL();
  PG_RETURN_INT64(answer.last);
}

PG_FUNCTION_INFO_V1(idgen_sql_sequence_delete_key);
PGDLLEXPORT Datum idgen_sql_sequence_delete_key(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(Ask(fcinfo, 1, {.kind = Operation::Kind::kDrop, .definition = {}}).had);
}

}  // extern "C"
